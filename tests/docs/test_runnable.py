"""The pages that a test can follow, followed: the tutorial step by step, and the examples of the Python API."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flowforge.contract.functions import FUNCTIONS
from flowforge.errors import SeedError
from flowforge.seeds.load import open_seed

# Not the environment of whoever runs the tests: a variable such as FF_ENGINE would lead elsewhere.
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("FF_", "FLOWFORGE_"))}


def test_the_tutorial_can_be_followed(tutorial, tmp_path: Path) -> None:
    """Blocks with a path become files; in `console` blocks the `$` lines run, and the others must be in the answer."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    steps = 0
    for block in tutorial.blocks:
        if "/" in block.title:
            file = tmp_path / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            command, *expected = block.text.splitlines()
            exit_code = int(found[1]) if (found := re.search(r"# exit code (\d+)$", command)) else 0
            assert command.startswith("$ ")
            done = subprocess.run(
                ["bash", "-c", command.removeprefix("$ ")],
                cwd=tmp_path,
                env={**CLEAN, "PATH": path},
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            answer = done.stdout + done.stderr
            assert done.returncode == exit_code, f"line {block.line}: {command}\n{answer}"
            for line in expected:
                assert line in answer, f"line {block.line}: {command}\n{answer}"
            steps += 1
    assert steps >= 8


def test_the_examples_of_the_python_api_run(
    python_api, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keep_out = shutil.ignore_patterns(".local", ".flowforge", "__pycache__")
    shutil.copytree(repository / "examples/simple_duckdb", tmp_path / "examples/simple_duckdb", ignore=keep_out)
    monkeypatch.chdir(tmp_path)
    for name in set(os.environ) - set(CLEAN):
        monkeypatch.delenv(name)
    names: dict[str, object] = {"__name__": "python_api"}
    for block in python_api.blocks:
        if block.language == "python":
            padded = "\n" * block.line + block.text  # so that a traceback names the line of the page
            exec(compile(padded, str(python_api.path), "exec"), names)
    printed = capsys.readouterr().out
    assert re.search(r"mart_users\S*\s+success\s+3", printed)
    assert "done" in printed
    names["project"].close()  # type: ignore[attr-defined]


def test_the_check_of_the_plugin_page_is_a_check(repository: Path, read_page) -> None:
    (module,) = [
        block for block in read_page(repository / "docs/plugins/write-a-check.md").blocks if block.language == "python"
    ]
    names: dict[str, object] = {"__name__": "acme_checks"}
    exec(compile(module.text, "write-a-check.md", "exec"), names)
    (spec,) = names["flowforge_checks"]()  # type: ignore[operator]
    assert spec.name == "multiple_of"
    with pytest.raises(ValueError, match="factor"):
        spec.params(column="pieces", factor=0)


def test_the_seed_format_of_the_plugin_page_reads_its_files(repository: Path, read_page, tmp_path: Path) -> None:
    page = read_page(repository / "docs/plugins/write-a-seed-format.md")
    (module,) = [block for block in page.blocks if block.language == "python"]
    names: dict[str, object] = {"__name__": "acme_properties"}
    exec(compile(module.text, "write-a-seed-format.md", "exec"), names)
    (spec,) = names["flowforge_seed_formats"]()  # type: ignore[operator]
    (tmp_path / "s.properties").write_text("# ours\nplace = Wien\n; theirs\n", encoding="utf-8")
    with pytest.raises(SeedError) as caught:
        open_seed(tmp_path, "s.properties", spec, {})
    assert str(caught.value.location) == "s.properties:3"
    (tmp_path / "s.properties").write_text("; theirs\nplace = Wien\n", encoding="utf-8")
    rows = open_seed(tmp_path, "s.properties", spec, {}, spec.options(comment=";")).read_all().to_pylist()
    assert rows == [{"key": "place", "value": "Wien"}]


def test_the_engine_of_the_plugin_page_is_declared_without_its_driver(repository: Path, read_page) -> None:
    page = read_page(repository / "docs/plugins/write-an-engine.md")
    module, dialect = [block for block in page.blocks if block.language == "python"]
    names: dict[str, object] = {"__name__": "flowforge_acme.plugin"}
    exec(compile(module.text, "write-an-engine.md", "exec"), names)
    (spec,) = names["flowforge_engines"]()  # type: ignore[operator]
    assert spec.name == "acme"
    assert not any(name.startswith("flowforge_acme") for name in sys.modules)
    exec(compile(dialect.text, "write-an-engine.md", "exec"), names)
    functions = names["AcmeDialect"].functions  # type: ignore[attr-defined]
    assert {key.partition(".")[0] for key in functions} <= FUNCTIONS.keys()


def test_the_renderer_of_the_plugin_page_keeps_to_its_contract(
    repository: Path, read_page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(
        repository / "examples/simple_duckdb",
        tmp_path / "examples/simple_duckdb",
        ignore=shutil.ignore_patterns(".local", ".flowforge", "__pycache__"),
    )
    monkeypatch.chdir(tmp_path)
    names = run_blocks(read_page(repository / "docs/plugins/write-a-doc-renderer.md"))
    (spec,) = names["flowforge_doc_renderers"]()  # type: ignore[operator]
    assert spec.name == "columns"
    assert "columns.csv" in capsys.readouterr().out
    assert "simple_duckdb,mart_users,sql," in (tmp_path / "site" / "columns.csv").read_text("utf-8")
    (tmp_path / "kit").mkdir()
    names["test_it_keeps_to_the_contract"](tmp_path / "kit")  # type: ignore[operator]


def test_the_stream_source_of_the_plugin_page_keeps_to_its_contract(
    repository: Path, read_page, tmp_path: Path
) -> None:
    names = run_blocks(read_page(repository / "docs/plugins/write-a-stream-source.md"))
    (spec,) = names["flowforge_stream_sources"]()  # type: ignore[operator]
    assert spec.name == "lines"
    names["test_it_keeps_to_the_contract"](tmp_path)  # type: ignore[operator]


def run_blocks(page) -> dict[str, object]:
    """The names that are there when all Python blocks of a page have run."""
    names: dict[str, object] = {"__name__": page.path.stem.replace("-", "_")}
    for block in page.blocks:
        if block.language == "python":
            exec(compile("\n" * block.line + block.text, str(page.path), "exec"), names)
    return names
