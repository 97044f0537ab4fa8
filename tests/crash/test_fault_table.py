"""The page of provoked faults: what is recorded stands there, counted, and damage cannot hide."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest
from flowforge_test_servers.faults import VARIABLE, Case, provoked, read, record

SCRIPT = Path(__file__).with_name("table.py")


def test_cases_are_recorded_only_when_a_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "faults.jsonl"
    monkeypatch.delenv(VARIABLE, raising=False)
    record("K1", "x", "kill", "old")
    assert not file.exists()
    monkeypatch.setenv(VARIABLE, str(file))
    record("K1", "x", "kill", "old", cases=3)
    with pytest.raises(AssertionError), provoked("K2", "x", "kill", "old"):
        raise AssertionError("two\nlines")
    with provoked("K3", "x", "Ctrl-C", "cancelled"):
        pass
    assert list(read(file)) == [
        Case("K1", "x", "kill", "old", cases=3),
        Case("K2", "x", "kill", "two lines", damage=True),
        Case("K3", "x", "Ctrl-C", "cancelled"),
    ]


def test_the_page_counts_and_shows_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, page = tmp_path / "faults.jsonl", tmp_path / "page.md"
    monkeypatch.setenv(VARIABLE, str(file))
    monkeypatch.setattr(sys, "argv", ["table.py", str(file), "--page", str(page)])
    record("K10", "b", "no | space", "said so")
    record("K2", "a", "kill", "old", cases=2)
    record("K2", "a", "kill", "old")
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert ended.value.code == 0
    text = page.read_text("utf-8")
    assert "4 faults in this run; damage: none" in text
    assert "| a | kill | 3 | old | none |" in text
    assert "| b | no \\| space | 1 | said so | none |" in text
    assert text.index("## K2") < text.index("## K10")

    record("K2", "a", "kill", "half a table", damage=True)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert ended.value.code == 1
    assert "| a | kill | 1 | half a table | **yes** |" in page.read_text("utf-8")


def test_faults_of_several_files_are_counted_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, page = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"], tmp_path / "page.md"
    for file in files:
        monkeypatch.setenv(VARIABLE, str(file))
        record("K1", "a", "kill", "old", cases=2)
    monkeypatch.setattr(sys, "argv", ["table.py", *map(str, files), "--page", str(page)])
    with pytest.raises(SystemExit):
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert "| a | kill | 4 | old | none |" in page.read_text("utf-8")


def test_the_page_in_the_docs_is_of_this_script_and_tells_of_no_damage() -> None:
    script = runpy.run_path(str(SCRIPT))
    text = script["PAGE"].read_text("utf-8")
    assert text.startswith(script["HEAD"]), "run the tests with FF_FAULT_TABLE, then tests/crash/table.py"
    assert "damage: none" in text
    assert "**yes**" not in text
    told = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert told
    assert set(told) <= {f"{fault}: {words}" for fault, words in script["FAULTS"].items()}


def test_every_fault_that_tests_provoke_has_a_name() -> None:
    """A run of hours must not fail at its last step, which is writing the page."""
    named = runpy.run_path(str(SCRIPT))["FAULTS"]
    calls = re.compile(r"\b(?:provoked|record)\(\s*\"([^\"]+)\"")
    tests = SCRIPT.parents[1]
    found = {fault for file in tests.rglob("test_*.py") for fault in calls.findall(file.read_text("utf-8"))}
    assert found
    assert not found - set(named)
