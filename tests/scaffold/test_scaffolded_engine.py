"""What `flowforge plugins new` renders installs, is clean by our own standards, and passes the conformance suite.

The session `scaffold` of nox gives the interpreter of an environment that holds the core with its test kit, ruff, mypy
and hatchling.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

PYTHON = os.environ.get("FF_SCAFFOLD_PYTHON", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="needs an environment of its own: nox -s scaffold")

# The second name is as long as a name may be and has several words: lines and imports must stay in order.
NAMES = ["acme", "our_very_own_cloud_warehouse_1"]


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([PYTHON, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module", params=NAMES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A rendered and installed distribution."""
    name: str = request.param
    folder = tmp_path_factory.mktemp("scaffold")
    distribution = f"flowforge-{name.replace('_', '-')}"
    run("-m", "flowforge", "plugins", "new", name, cwd=folder)
    run("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", f"./{distribution}", cwd=folder)
    yield name, folder / distribution
    run("-m", "pip", "uninstall", "--quiet", "--yes", distribution, cwd=folder)


def test_it_is_listed(engine: tuple[str, Path], tmp_path: Path) -> None:
    name, _ = engine
    assert f"engine {name}" in run("-m", "flowforge", "plugins", cwd=tmp_path).stdout


def test_it_conforms_by_its_own_tests(engine: tuple[str, Path]) -> None:
    name, folder = engine
    if name != NAMES[0]:
        pytest.skip("the suite takes a minute, and sees nothing of a name but its letters")
    run("-m", "pytest", "-q", cwd=folder)


def test_it_is_clean(engine: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> None:
    _, folder = engine
    run("-m", "ruff", "check", ".", cwd=folder)
    run("-m", "ruff", "format", "--check", ".", cwd=folder)
    # What all of them import is read once.
    run("-m", "mypy", "--cache-dir", str(tmp_path_factory.getbasetemp() / "types"), cwd=folder)


def test_a_project_runs_on_it(engine: tuple[str, Path], tmp_path: Path) -> None:
    name, _ = engine
    (tmp_path / "models").mkdir()
    (tmp_path / "project.yml").write_text("name: shop\nversion: 1\n")
    (tmp_path / "profiles.yml").write_text(f"dev:\n  engine: {name}\n  {name}:\n    path: .local/shop.db\n")
    (tmp_path / "models" / "users.ff.sql").write_text("select 1 as id, 'ann' as name\n")
    (tmp_path / "models" / "names.ff.sql").write_text("select name from {{ ref('users.ff') }}\n")
    run("-m", "flowforge", "run", ".", cwd=tmp_path)
    shown = run("-m", "flowforge", "show", "names", cwd=tmp_path).stdout
    assert "ann" in shown
