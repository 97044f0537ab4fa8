"""What `flowforge plugins new` writes."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from flowforge.contract import DocRenderer, StreamSourceSpec
from flowforge.errors import UsageError
from flowforge.plugins.pluginset import Offers, PluginSet
from flowforge.scaffold.plugin import PluginKind, render_plugin


def render_engine(name: str, target: Path) -> list[Path]:
    return render_plugin(PluginKind.ENGINE, name, target)


FILES = {
    ".gitignore",
    "README.md",
    "pyproject.toml",
    "src/flowforge_acme/__init__.py",
    "src/flowforge_acme/dialect.py",
    "src/flowforge_acme/executor.py",
    "src/flowforge_acme/plugin.py",
    "src/flowforge_acme/py.typed",
    "src/flowforge_acme/session.py",
    "src/flowforge_acme/settings.py",
    "tests/test_conformance.py",
}


def test_all_files_are_written(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "flowforge-acme"
    written = render_engine("acme", target)
    assert {path.relative_to(target).as_posix() for path in written} == FILES
    assert written == sorted(written)
    assert all(path.is_file() for path in written)


@pytest.mark.parametrize("name", ["acme", "my-big-database", "x1", "a" * 30])
def test_what_is_written_can_be_read(tmp_path: Path, name: str) -> None:
    target = tmp_path / "engine"
    engine = name.replace("-", "_")
    for path in render_engine(name, target):
        text = path.read_text("utf-8")
        assert "{{" not in text
        if path.suffix == ".py":
            ast.parse(text)
            assert max(map(len, text.splitlines()), default=0) <= 120, path
    project = tomllib.loads((target / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["name"] == f"flowforge-{engine.replace('_', '-')}"
    assert project["project"]["entry-points"]["flowforge"] == {engine: f"flowforge_{engine}.plugin"}
    assert (target / "src" / f"flowforge_{engine}").is_dir()


def test_it_depends_on_the_core_of_this_version(tmp_path: Path) -> None:
    import flowforge

    render_engine("acme", tmp_path / "x")
    project = tomllib.loads((tmp_path / "x" / "pyproject.toml").read_text("utf-8"))["project"]
    (core,) = [one for one in project["dependencies"] if one.startswith("flowforge-core")]
    assert core.startswith(f"flowforge-core>={'.'.join(flowforge.__version__.split('.')[:2])},<")


def test_the_engine_is_one(tmp_path: Path) -> None:
    """Imported in another process, declared, opened, used; the whole suite runs in the session `scaffold` of nox."""
    render_engine("acme", tmp_path / "x")
    program = (
        "import flowforge_acme.plugin as plugin\n"
        "assert 'sqlite3' not in __import__('sys').modules\n"
        "executor = plugin.SPEC.load()(plugin.SPEC.settings(path='x.db'))\n"
        "session = executor.session(label='test')\n"
        "assert session.query('SELECT 1 AS id').read_all().to_pylist() == [{'id': 1}]\n"
        "session.close()\n"
    )
    subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "x" / "src")},
        cwd=tmp_path,
        check=True,
    )


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Acme",
        "1acme",
        "a b",
        "acme!",
        "-acme",
        "acme-",
        "a__b",
        "_acme",
        "import",
        "é",
        "a/b",
        "..",
        "a" * 31,
        "a.b",
    ],
)
def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        render_engine(name, tmp_path / "x")
    assert caught.value.code == "FF6413"
    assert caught.value.help
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", ["duckdb", "postgres", "snowflake", "databricks-spark"])
def test_names_of_our_own_engines_are_taken(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="already"):
        render_engine(name, tmp_path / "x")


@pytest.mark.parametrize("kind", [kind for kind in PluginKind if kind is not PluginKind.ENGINE])
@pytest.mark.parametrize("name", ["my-very-own", "a" * 30])
def test_other_kinds_can_be_read_and_pass_their_tests(tmp_path: Path, kind: PluginKind, name: str) -> None:
    target, plugin = tmp_path / "x", name.replace("-", "_")
    for path in render_plugin(kind, name, target):
        text = path.read_text("utf-8")
        assert "{{" not in text
        assert max(map(len, text.splitlines()), default=0) <= 120 or path.suffix == ".md", path
    project = tomllib.loads((target / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"]["flowforge"] == {plugin: f"flowforge_{plugin}.plugin"}
    own = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(target / "src"), *sys.path])},
        cwd=target,
        capture_output=True,
        text=True,
        check=False,
    )
    assert own.returncode == 0, own.stdout + own.stderr


@pytest.mark.parametrize(
    ("kind", "name"), [(PluginKind.CHECK, "unique"), (PluginKind.SEED_FORMAT, "csv"), (PluginKind.SEED_FORMAT, "jsonl")]
)
def test_names_that_are_taken_by_what_is_installed(tmp_path: Path, kind: PluginKind, name: str) -> None:
    with pytest.raises(UsageError, match=f"there is {kind.words} '{name}' already"):
        render_plugin(kind, name, tmp_path / "x")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("kind", "offers"),
    [
        (PluginKind.DOC_RENDERER, Offers(renderers={"taken": DocRenderer("taken", "", render=lambda *_: ())})),
        (PluginKind.STREAM_SOURCE, Offers(stream_sources={"taken": StreamSourceSpec("taken", "", Offers, load=list)})),
    ],
)
def test_names_of_other_plugins_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: PluginKind, offers: Offers
) -> None:
    monkeypatch.setattr("flowforge.plugins.load_plugins", lambda environ: PluginSet([], offers))
    with pytest.raises(UsageError, match=f"there is {kind.words} 'taken' already"):
        render_plugin(kind, "taken", tmp_path / "x")
    assert render_plugin(kind, "free", tmp_path / "x")


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_nothing_is_overwritten(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "x"
    target.mkdir() if kind == "folder" else target.write_text("mine")
    with pytest.raises(UsageError, match="exists") as caught:
        render_engine("acme", target)
    assert caught.value.code == "FF6411"
    assert target.is_dir() if kind == "folder" else target.read_text() == "mine"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        render_engine("acme", tmp_path / "file" / "x")
