"""One project on two engines: clean copies of it, the command line run on them, and what then stands in the database.

DuckDB is the one, and PostgreSQL the other. The variable ``FF_PARITY`` names another other one, a file of ``targets/``:
what is about PostgreSQL is not collected then, and ``test_same_elsewhere.py`` is.
"""

from __future__ import annotations

import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import pytest

from flowforge import Project
from flowforge.errors import EngineError
from flowforge.values import Namespace

ENGINES = ("duckdb", "postgres")
HERE = Path(__file__).resolve().parent
OTHER = os.environ.get("FF_PARITY")
ELSEWHERE = "test_same_elsewhere.py"
collect_ignore = [ELSEWHERE] if OTHER is None else [one.name for one in HERE.glob("test_*.py") if one.name != ELSEWHERE]
EXAMPLES = HERE.parents[1] / "examples"
LEFTOVERS = shutil.ignore_patterns(".local", ".flowforge", "__pycache__", "site", "*.duckdb")
PATIENCE = 240.0
"""Seconds until a command counts as hung."""


@attrs.frozen
class Ended:
    """How a command line ended."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """All that was said as JSON, on both outputs."""
        lines = [*self.out.splitlines(), *self.err.splitlines()]
        return [json.loads(line) for line in lines if line.startswith("{")]

    def of(self, event: str) -> list[dict[str, Any]]:
        """The records of one event, in the order in which they came."""
        return [one for one in self.records if one.get("event") == event]

    @property
    def statuses(self) -> dict[str, str]:
        """What became of each node."""
        return {one["node"]: one["status"] for one in self.of("node_finished")}


@attrs.frozen
class Shown:
    """What stands under one name.

    *names* are the columns as the engine stores them; *types* are Arrow's, by name in lower case; each of *rows* comes
    with how often it is there.
    """

    kind: str
    names: tuple[str, ...]
    types: Mapping[str, str]
    rows: collections.Counter[tuple[object, ...]]


@attrs.frozen
class Place:
    """A copy of a project that runs on one engine, with a database of its own."""

    engine: str
    root: Path
    environ: Mapping[str, str]
    patience: float = PATIENCE

    def __call__(self, *args: str) -> Ended:
        """Run ``flowforge ARGS`` here, with records as JSON."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("FF_", "FLOWFORGE_", "PG"))}
        done = subprocess.run(
            [sys.executable, "-m", "flowforge", *args, "--env", self.engine, "--log-format", "json"],
            cwd=self.root,
            env={**kept, **self.environ},
            capture_output=True,
            encoding="utf-8",
            timeout=self.patience,
            check=False,
        )
        ended = Ended(done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in ended.err, ended.err
        return ended

    def execute(self, *statements: str) -> None:
        """Run SQL that FlowForge knows nothing of, as another program would."""
        with (
            Project.load(self.root, env=self.engine, environ=dict(self.environ)) as project,
            project.executor.session(label="parity-outside") as session,
        ):
            for sql in statements:
                session.execute(sql)

    def answers(self, queries: Iterable[str]) -> list[tuple[Any, str]]:
        """Of each query the last column's first value, with Arrow's name of its type; of one that fails its code."""
        found: list[tuple[Any, str]] = []
        with Project.load(self.root, env=self.engine, environ=dict(self.environ)) as project:
            for sql in queries:
                try:
                    with project.executor.session(label="parity-question") as session:
                        table = session.query(sql).read_all()
                    found.append((table.columns[-1][0].as_py(), str(table.schema.types[-1])))
                except EngineError as error:
                    found.append((error.code, ""))
        return found

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace *old*, which has to stand once in a file of the project."""
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (name, old)
        path.write_text(text.replace(old, new), encoding="utf-8")

    def write(self, files: Mapping[str, str]) -> None:
        """Write files of the project."""
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def shown(self, *schemas: str, only: str | None = None, without: Collection[str] = frozenset()) -> dict[str, Shown]:
        """The relations of *schemas* (by default the profile's), read through sessions of the engine; or one of them."""
        with Project.load(self.root, env=self.engine, environ=dict(self.environ)) as project:
            executor = project.executor
            places = [Namespace(name, executor.namespace.database) for name in schemas] or [executor.namespace]
            with executor.session(label="parity") as session:
                found = {}
                for info in (info for place in places for info in session.relations(place)):
                    name = info.relation.name.lower()
                    if name.startswith("_ff_") or name in without or only not in (None, name):
                        continue
                    table = session.query(f"SELECT * FROM {executor.dialect.render(info.relation)}").read_all()
                    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
                    names = tuple(table.schema.names)
                    types = {field.name.lower(): str(field.type) for field in table.schema}
                    found[name] = Shown(info.kind.value, names, types, collections.Counter(rows))
                return found


Pair = tuple[Place, Place]
"""DuckDB first, then the other engine."""


def on_both(pair: Pair, *args: str) -> tuple[Ended, Ended]:
    """Run a command in both places, at the same time."""
    with ThreadPoolExecutor(len(pair)) as pool:
        ours, theirs = pool.map(lambda place: place(*args), pair)
    return ours, theirs


@pytest.fixture(scope="session")
def new_database(postgres_admin_dsn: str) -> Iterator[Callable[[], str]]:
    """Makes databases, which are dropped at the end of the session."""
    psycopg = pytest.importorskip("psycopg")
    made = []

    def make() -> str:
        name = f"ff_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(postgres_admin_dsn, autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}")
        made.append(name)
        return str(urlsplit(postgres_admin_dsn)._replace(path=f"/{name}").geturl())

    yield make
    with psycopg.connect(postgres_admin_dsn, autocommit=True) as admin:
        for name in made:
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def new_pair(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Pair]:
    """Makes two places out of a project: ``new_pair(folder, files)``, whose *files* are put over its own."""
    profiles = (HERE / "project" / "profiles.yml").read_text("utf-8")

    def make(folder: Path | None, files: Mapping[str, str] | None = None) -> Pair:
        pair = []
        for engine in ENGINES:
            root = tmp_path_factory.mktemp(f"parity-{engine}") / "project"
            if folder is None:
                root.mkdir()
            else:
                shutil.copytree(folder, root, ignore=LEFTOVERS)
            environ = {"FF_PG_DSN": new_database()} if engine == "postgres" else {}
            pair.append(Place(engine, root, environ))
            pair[-1].write({"profiles.yml": profiles, **(files or {})})
        return pair[0], pair[1]

    return make


@attrs.frozen
class Target:
    """What a file of ``targets/`` says.

    *settings* are the profile's, in which ``{name}`` is a name of this run and ``{env:NAME}`` a variable. *differences*
    are those that are known, by project and table, each with its reason. *patience*: the seconds that a command may take.
    """

    row: str
    engine: str
    settings: Mapping[str, Any]
    differences: Mapping[str, Mapping[str, Mapping[str, Any]]]
    patience: float

    def profile(self, name: str) -> str:
        """The text of ``profiles.yml``, where *name* is a schema that nobody else uses."""

        def said(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: said(one) for key, one in value.items()}
            if not isinstance(value, str):
                return value
            text = re.sub(r"\{env:(\w+)\}", lambda found: os.environ[found[1]], value.replace("{name}", name))
            return int(text) if value != text and text.isdigit() else text

        ours = {"engine": "duckdb", "duckdb": {"path": "parity.duckdb", "schema": name}}
        theirs = {"engine": self.engine, self.engine: said(self.settings)}
        return json.dumps({"duckdb": ours, self.row: theirs})


@pytest.fixture(scope="session")
def target() -> Target:
    """The other engine."""
    assert OTHER is not None
    read = tomllib.loads((HERE / "targets" / f"{OTHER}.toml").read_text("utf-8"))
    return Target(OTHER, read["engine"], read["settings"], read.get("differences", {}), read.get("patience", PATIENCE))


@pytest.fixture(scope="session")
def new_places(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Pair, str]]:
    """Makes two places of a project in DuckDB's dialect, and says the schema that both of them use."""

    def make(folder: Path) -> tuple[Pair, str]:
        name = f"ff_{uuid.uuid4().hex[:12]}"
        found = []
        for engine in ("duckdb", target.row):
            root = tmp_path_factory.mktemp(engine) / "project"
            shutil.copytree(folder, root, ignore=LEFTOVERS)
            project = (root / "project.yml").read_text("utf-8")
            found.append(Place(engine, root, {}, target.patience))
            found[-1].write({"profiles.yml": target.profile(name), "project.yml": f"{project}\ndialect: duckdb\n"})
        return (found[0], found[1]), name

    return make


@attrs.frozen
class Pristine:
    """The portable project, built once on each engine; not to be changed."""

    places: Pair
    builds: tuple[Ended, Ended]


@pytest.fixture(scope="session")
def pristine(new_pair: Callable[..., Pair]) -> Pristine:
    """The portable project, built; tests only read it."""
    places = new_pair(HERE / "project")
    builds = on_both(places, "build")
    assert [ended.code for ended in builds] == [0, 0], builds
    return Pristine(places, builds)


@pytest.fixture(scope="session")
def portable(new_pair: Callable[..., Pair]) -> Callable[..., Pair]:
    """Makes copies of the portable project that a test may change; *files* are put over it."""
    return lambda files=None: new_pair(HERE / "project", files)


@pytest.fixture(scope="session")
def run_both() -> Callable[..., tuple[Ended, Ended]]:
    """Runs a command in both places of a pair: ``run_both(pair, "build")``."""
    return on_both


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of the example projects."""
    return EXAMPLES
