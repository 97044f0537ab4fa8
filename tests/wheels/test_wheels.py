"""The built distributions, used as a user would use them. Runs in `nox -s wheels`, which builds them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
BUILT = os.environ.get("FF_WHEELS")

pytestmark = pytest.mark.skipif(not BUILT, reason="needs built distributions: nox -s wheels")

NAMES = sorted(path.parent.name for path in REPOSITORY.glob("flowforge-*/pyproject.toml"))


def wheel(name: str) -> Path:
    (found,) = Path(BUILT or "").glob(f"{name.replace('-', '_')}-*.whl")
    return found


def sdist(name: str) -> Path:
    (found,) = Path(BUILT or "").glob(f"{name.replace('-', '_')}-*.tar.gz")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_wheel_holds_everything_and_nothing_else(name: str) -> None:
    package = "flowforge" if name == "flowforge-core" else name.replace("-", "_")
    with zipfile.ZipFile(wheel(name)) as archive:
        members = set(archive.namelist())
        (metadata,) = (archive.read(each).decode() for each in members if each.endswith(".dist-info/METADATA"))
    assert f"{package}/py.typed" in members
    assert any(each.endswith(".dist-info/licenses/LICENSE") for each in members)
    assert {each.split("/")[0] for each in members if ".dist-info/" not in each} == {package}
    assert "License-Expression: Apache-2.0" in metadata
    source = REPOSITORY / name / "src"
    wanted = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and not path.name.startswith(".")
    }
    assert wanted <= members, "files of the package that the wheel lacks (templates, TOML, py.typed ...)"


@pytest.mark.parametrize("name", NAMES)
def test_an_sdist_can_be_built_from_and_carries_its_licence(name: str) -> None:
    with tarfile.open(sdist(name)) as archive:
        members = {each.split("/", 1)[1] for each in archive.getnames() if "/" in each}
    assert {"pyproject.toml", "LICENSE", "README.md", "PKG-INFO"} <= members
    assert not {each for each in members if "__pycache__" in each or each.startswith((".nox", "dist/"))}


class Environment:
    """A virtual environment of its own."""

    def __init__(self, folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        self.bin = folder / ("Scripts" if os.name == "nt" else "bin")

    def install(self, *what: Path) -> None:
        command = [str(self.bin / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*command, "--find-links", str(BUILT), *map(str, what)], check=True, timeout=600)

    def flowforge(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        keep = {key: value for key, value in os.environ.items() if not key.startswith(("FF_", "FLOWFORGE_", "PYTHON"))}
        command = [str(self.bin / "flowforge"), *arguments]
        return subprocess.run(command, cwd=cwd, env=keep, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The core and its dependencies, and nothing else."""
    environment = Environment(tmp_path_factory.mktemp("core") / "venv")
    environment.install(wheel("flowforge-core"))
    return environment


@pytest.fixture
def project(tmp_path: Path) -> Path:
    keep_out = shutil.ignore_patterns(".local", ".flowforge", "__pycache__", "*.duckdb*")
    return Path(shutil.copytree(REPOSITORY / "examples/simple_duckdb", tmp_path / "simple_duckdb", ignore=keep_out))


def test_the_core_alone_starts(alone: Environment, tmp_path: Path) -> None:
    version = alone.flowforge("--version", cwd=tmp_path)
    assert version.returncode == 0
    assert wheel("flowforge-core").name.split("-")[1] in version.stdout
    assert alone.flowforge("--help", cwd=tmp_path).returncode == 0


def test_the_core_alone_says_what_brings_the_engine(alone: Environment, project: Path) -> None:
    run = alone.flowforge("run", str(project), "--env", "dev", cwd=project.parent)
    assert run.returncode == 1
    assert "pip install flowforge-duckdb" in run.stderr
    assert "Traceback" not in run.stderr


def test_with_the_engine_a_project_builds(tmp_path_factory: pytest.TempPathFactory, project: Path) -> None:
    environment = Environment(tmp_path_factory.mktemp("duckdb") / "venv")
    environment.install(wheel("flowforge-core"), wheel("flowforge-duckdb"))
    build = environment.flowforge("build", str(project), cwd=project.parent)
    assert build.returncode == 0, build.stderr
    again = environment.flowforge("plugins", cwd=project.parent)
    assert "flowforge-duckdb" in again.stdout
