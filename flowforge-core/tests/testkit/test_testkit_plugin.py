"""The options of the suite: settings, known gaps, report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowforge.contract import Capability
from flowforge.testkit.gaps import Gap, read_gaps
from flowforge.testkit.plugin import SUITE

QUICK = str(SUITE / "test_comments.py")
Run = Callable[..., Any]


@pytest.fixture(name="run")
def run_fixture(forge: Any, tmp_path: Path) -> Run:
    """Runs pytest with the plugin, on SQLite unless another engine is given."""

    def run(*arguments: str, engine: str = "flowforge_sqlite.plugin:SPEC") -> Any:
        return forge.run(tmp_path, *([f"--ff-engine={engine}"] if engine else []), *arguments)

    return run


def test_expected_failures_are_no_failures(run: Run) -> None:
    done = run(QUICK)
    assert done.returncode == 0, done.output
    assert "comments unsupported: SQLite keeps none" in done.output


def test_the_package_form_finds_the_suite(run: Run) -> None:
    done = run("--pyargs", "flowforge.testkit.suite", "--collect-only", "-q")
    assert done.returncode == 0, done.output
    for file in SUITE.glob("test_*.py"):
        assert file.name in done.output


def test_an_engine_has_to_be_named(run: Run) -> None:
    done = run(QUICK, engine="")
    assert done.returncode == 4
    assert "--ff-engine=NAME is missing" in done.output


@pytest.mark.parametrize(
    "engine", ["no_such_engine", "no_such_module:SPEC", "flowforge_sqlite.plugin:NOTHING", "json:dumps"]
)
def test_an_engine_that_is_none(run: Run, engine: str) -> None:
    done = run(QUICK, engine=engine)
    assert done.returncode == 4
    assert f"--ff-engine={engine}" in done.output


@pytest.mark.parametrize(("setting", "words"), [("path", "write key=value"), ("paht=x", "paht")])
def test_settings_that_make_no_sense(run: Run, setting: str, words: str) -> None:
    done = run(f"--ff-settings={setting}", QUICK)
    assert done.returncode == 4
    assert words in done.output


def test_a_setting_replaces_that_of_the_engine(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "kept.db"
    done = run(f"--ff-settings=path={place}", str(SUITE / "test_loading.py::test_create_says_how_many_rows"))
    assert done.returncode == 0, done.output
    assert place.exists()


def test_a_known_gap_is_expected_to_fail_and_says_why(run: Run, tmp_path: Path) -> None:
    gaps = tmp_path / "gaps.toml"
    gaps.write_text('"test_comments.py::test_comments_on_a_view" = "the emulator forgets them"\n')
    done = run(QUICK, f"--ff-known-gaps={gaps}")
    assert done.returncode == 0, done.output
    assert "known gap: the emulator forgets them" in done.output


def test_a_gap_that_is_none_fails(run: Run, tmp_path: Path) -> None:
    gaps = tmp_path / "gaps.toml"
    gaps.write_text('transactional_ddl = "not in the emulator"\n')
    done = run(str(SUITE / "test_transactions.py"), f"--ff-known-gaps={gaps}")
    assert done.returncode == 1
    assert "claims too little" in done.output
    assert "known gap: not in the emulator" in done.output


def test_a_gap_that_hangs_is_not_run(run: Run, tmp_path: Path) -> None:
    gaps = tmp_path / "gaps.toml"
    gaps.write_text('cancel = {reason = "hangs", run = false}\n')
    report = tmp_path / "out" / "report.json"
    file = str(SUITE / "test_sessions.py")
    done = run(file, "-k", "cancelled", f"--ff-known-gaps={gaps}", f"--ff-report={report}")
    assert done.returncode == 0, done.output
    cases = json.loads(report.read_text())["cases"]
    assert {entry["outcome"] for entry in cases.values()} == {"expected failure"}
    assert all("NOTRUN" in entry["reason"] for entry in cases.values())


def test_a_gap_that_is_no_case_is_refused(run: Run, tmp_path: Path) -> None:
    gaps = tmp_path / "gaps.toml"
    gaps.write_text('"test_merge.py::test_that_was_renamed" = "x"\n')
    done = run("--pyargs", "flowforge.testkit.suite", "--collect-only", f"--ff-known-gaps={gaps}")
    assert done.returncode == 4
    assert "test_that_was_renamed" in done.output


@pytest.mark.parametrize(
    "text",
    ["cancle = 'x'", "cancel = ''", "cancel = {run = false}", "cancel = {reason = 'x', when = 1}", "cancel = 1", "["],
)
def test_gap_files_that_make_no_sense(tmp_path: Path, text: str) -> None:
    file = tmp_path / "gaps.toml"
    file.write_text(text)
    with pytest.raises(pytest.UsageError, match=r"gaps\.toml"):
        read_gaps(file)


def test_what_a_gap_covers() -> None:
    assert Gap("cancel", "x").covers("test_a.py::test_b", [Capability.CANCEL])
    assert not Gap("cancel", "x").covers("test_a.py::test_b", [Capability.MERGE])
    assert Gap("test_a.py::*", "x").covers("test_a.py::test_b", [])
    assert Gap("test_a.py::test_b[x-1]", "x").covers("test_a.py::test_b[x-1]", [])
    assert not Gap("test_a.py::test_b[x-1]", "x").covers("test_a.py::test_bx", [])


def test_the_report_holds_every_case(run: Run, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = run(QUICK, str(SUITE / "test_merge.py"), str(SUITE / "test_replace.py"), f"--ff-report={report}")
    assert done.returncode == 0, done.output
    document = json.loads(report.read_text("utf-8"))
    assert document["engine"] == "sqlite"
    assert document["capabilities"]["merge"]["level"] == "unsupported"
    assert set(document["capabilities"]) == {one.value for one in Capability}
    outcomes = {entry["outcome"] for entry in document["cases"].values()}
    assert outcomes == {"passed", "expected failure", "skipped"}
    merge = document["cases"]["test_merge.py::test_nothing_but_keys"]
    assert merge["capabilities"] == ["merge"]
    assert merge["reason"].startswith("merge unsupported")
