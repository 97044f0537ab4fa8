"""What the tests of the house look at: the repository's own files."""

from __future__ import annotations

import statistics
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import attrs
import pytest

REPOSITORY = Path(__file__).parents[2]
LONG_MODULE = 600


@attrs.frozen
class Distribution:
    """One installable folder of the repository."""

    name: str
    folder: Path
    settings: dict[str, Any]

    @property
    def package(self) -> Path:
        """The folder of its import package."""
        (package,) = (path.parent for path in self.folder.glob("src/*/__init__.py"))
        return package

    @property
    def entry_modules(self) -> tuple[str, ...]:
        """What FlowForge imports when it discovers this distribution."""
        return tuple(self.settings["project"].get("entry-points", {}).get("flowforge", {}).values())

    @property
    def modules(self) -> tuple[Path, ...]:
        return tuple(sorted(self.package.rglob("*.py")))


def distributions() -> list[Distribution]:
    """All distributions of the workspace, sorted by name."""
    return [
        Distribution(path.parent.name, path.parent, tomllib.loads(path.read_text(encoding="utf-8")))
        for path in sorted(REPOSITORY.glob("flowforge-*/pyproject.toml"))
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that asks for a distribution runs once for each, every test that asks for a module likewise."""
    if "distribution" in metafunc.fixturenames:
        found = distributions()
        metafunc.parametrize("distribution", found, ids=[each.name for each in found])
    if "module" in metafunc.fixturenames:
        modules = [module for each in distributions() for module in each.modules]
        metafunc.parametrize("module", modules, ids=[str(module.relative_to(REPOSITORY)) for module in modules])


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def all_distributions() -> list[Distribution]:
    """All distributions of the workspace."""
    return distributions()


@pytest.fixture(scope="session")
def tracked(repository: Path) -> list[Path]:
    """The files that git keeps, or would keep."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(command, cwd=repository, check=True, capture_output=True).stdout.decode()
    return [repository / name for name in listing.split("\0") if name and (repository / name).is_file()]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report the sizes of modules. Size is a signal for the reader, so nothing fails by it."""
    sizes = {
        module.relative_to(REPOSITORY): len(module.read_text(encoding="utf-8").splitlines())
        for each in distributions()
        for module in each.modules
    }
    terminalreporter.section("sizes of modules, in lines")
    ordered = sorted(sizes.values())
    terminalreporter.line(
        f"{len(ordered)} modules, {sum(ordered)} lines; median {statistics.median(ordered):.0f}, "
        f"90% up to {ordered[int(len(ordered) * 0.9)]}, longest {ordered[-1]}"
    )
    for path, lines in sorted(sizes.items(), key=lambda item: -item[1]):
        if lines > LONG_MODULE:
            terminalreporter.line(f"  over {LONG_MODULE}: {path} ({lines})", yellow=True)
