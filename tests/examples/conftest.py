"""Clean copies of the example projects, and the ``flowforge`` command run on them as a user would.

Results are read back with the database's own client, so that FlowForge is not its own witness.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import duckdb
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LEFTOVERS = shutil.ignore_patterns(".local", ".flowforge", "__pycache__", "site")
TIMEOUT_SECONDS = 300


def clean_environment() -> dict[str, str]:
    """This process's environment without settings of FlowForge, and with its script on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FF_", "FLOWFORGE_"))}
    scripts = str(Path(sys.executable).parent)
    return {**kept, "PATH": os.pathsep.join([scripts, kept.get("PATH", "")]), "NO_COLOR": "1"}


@attrs.frozen
class Outcome:
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Both outputs, for messages and for words that may stand in either."""
        return f"{self.out}\n{self.err}"


@attrs.frozen
class Example:
    """A clean copy of one example project."""

    path: Path

    @property
    def database(self) -> Path:
        """The file that the profile ``dev`` names."""
        name = "demo" if self.path.name == "simple_duckdb" else self.path.name
        return self.path / ".local" / f"{name}.duckdb"

    def flowforge(self, *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Outcome:
        """Run ``flowforge`` with *arguments*; by default from the folder above the project."""
        return self.execute("flowforge", *arguments, cwd=cwd, env=env)

    def execute(
        self, program: str, *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Outcome:
        """Run any program to its end in *cwd*, with *env* put over the clean environment."""
        environment = {**clean_environment(), **(env or {})}
        found = shutil.which(program, path=environment["PATH"])
        assert found is not None, f"{program} is not on the path of this Python"
        done = subprocess.run(
            [found, *arguments],
            cwd=cwd or self.path.parent,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def build(self) -> Outcome:
        """``flowforge build`` on this copy; must succeed."""
        outcome = self.flowforge("build", self.path.name)
        assert outcome.code == 0, outcome.text
        return outcome

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of *sql* in the project's database, read without FlowForge."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            rows: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
            return rows

    def relations(self) -> dict[str, str]:
        """Name to kind (``table`` or ``view``) of all that stands in the database, but for FlowForge's own."""
        return {name: kind for (_, name), kind in self._relations().items()}

    def _relations(self) -> dict[tuple[str, str], str]:
        """As :meth:`relations`, by schema and name."""
        rows = self.query("select table_schema, table_name, table_type from information_schema.tables")
        kinds = {"BASE TABLE": "table", "VIEW": "view"}
        return {(schema, name): kinds[kind] for schema, name, kind in rows if not name.startswith("_ff_")}

    def fingerprints(self) -> dict[str, tuple[int, int]]:
        """Of each relation its number of rows and a sum over its rows' hashes, whatever their order."""
        found = {}
        for schema, name in self._relations():
            table = f'"{schema}"."{name}"'
            ((rows, digest),) = self.query(f"select count(*), sum(cast(hash(t) as hugeint)) from {table} as t")
            found[name] = (rows, digest)
        return found


CopyExample = Callable[[str], Example]


@pytest.fixture(scope="session")
def copy_example(tmp_path_factory: pytest.TempPathFactory) -> CopyExample:
    """Makes a copy of an example without anything that an earlier run left in it."""

    def copy(name: str) -> Example:
        target = tmp_path_factory.mktemp("examples") / name
        shutil.copytree(EXAMPLES / name, target, ignore=LEFTOVERS)
        return Example(target)

    return copy
