"""The options that say what a run may skip, what it must build, and what contradicts what."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ALL = ["a", "b", "c", "lone", "raw"]


def built(statuses: dict[str, str]) -> list[str]:
    return sorted(name for name, status in statuses.items() if status == "success")


def test_the_second_build_skips_everything(shop) -> None:
    assert built(shop.statuses("build")) == ALL
    assert shop.statuses("build") == dict.fromkeys(ALL, "cached")
    ended = shop("build")
    assert "5 unchanged" in ended.err
    assert "1/5" not in ended.err  # one line a node only with -v
    assert re.search(r"^= 5/5 \w+ +unchanged$", shop("build", "-v").err, re.MULTILINE)


@pytest.mark.parametrize(
    "flag", [("--cache", "off"), ("--no-cache",), ("--cache", "wo"), ("--full-refresh",), ("--rebuild",)]
)
def test_modes_that_build_everything(shop, flag: tuple[str, ...]) -> None:
    shop("build")
    assert built(shop.statuses("build", *flag)) == ALL


def test_what_a_run_noted_decides_about_the_next(shop) -> None:
    shop("build", "--cache", "wo")
    assert built(shop.statuses("build")) == []
    shop.write("models/b.ff.sql", "select id, v + 1 as v from {{ ref('a') }}")
    assert built(shop.statuses("build", "--cache", "ro")) == ["b", "c"]
    assert "b" in built(shop.statuses("build")), "what ro has built is built again"
    shop("build", "--no-cache")
    assert built(shop.statuses("build")) != []


def test_rebuild_takes_a_selector_a_folder_or_nothing(shop) -> None:
    shop("build")
    assert built(shop.statuses("build", "--rebuild", "b")) == ["b", "c"], "what is forced is replaced"
    assert built(shop.statuses("build", "--rebuild", "tag:staging", "--rebuild", "lone")) == ["a", "lone"], (
        "a view passes on what it reads"
    )
    assert built(shop.statuses("build", "--rebuild", ".")) == ALL, "a folder with a project.yml is the project"
    assert built(shop.statuses("build", ".", "--rebuild", "-s", "b+")) == ["b", "c"]
    ended = shop("build", "--rebuild", "nobody", ok=False)
    assert ended.code == 5
    assert "no node is called 'nobody'" in ended.err


def test_rebuild_finds_the_project_elsewhere(shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop("build")
    monkeypatch.chdir(shop.root.parent)
    assert built(shop.statuses("build", "--rebuild", "shop")) == ALL


def test_rebuild_only_selects_exactly_and_in_order(shop) -> None:
    shop("build")
    assert list(shop.statuses("run", "-R", "c", "-R", "b")) == ["b", "c"]
    assert built(shop.statuses("run", "-R", "c", "-R", "b")) == ["b", "c"]


def test_variables_set_the_options_and_the_command_line_outweighs_them(shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop("build")
    monkeypatch.setenv("FLOWFORGE_CACHE", "off")
    assert built(shop.statuses("build")) == ALL
    assert built(shop.statuses("build", "--cache", "wo")) == ALL
    assert built(shop.statuses("build", "--cache", "rw")) == []
    monkeypatch.setenv("FLOWFORGE_CACHE", "ro")
    assert built(shop.statuses("build", "--no-cache")) == ALL
    shop("build", "--cache", "wo")
    monkeypatch.setenv("FLOWFORGE_CACHE", "rw")
    monkeypatch.setenv("FLOWFORGE_REBUILD", "1")
    assert built(shop.statuses("build")) == ALL
    monkeypatch.setenv("FLOWFORGE_REBUILD", "0")
    assert built(shop.statuses("build")) == []
    monkeypatch.setenv("FLOWFORGE_REBUILD", "c lone")
    assert built(shop.statuses("build")) == ["c", "lone"]


def test_what_is_typed_outweighs_variables_that_contradict_it(shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop("build")
    monkeypatch.setenv("FLOWFORGE_REBUILD", "1")
    monkeypatch.setenv("FLOWFORGE_CHANGED_SINCE", "nope")
    monkeypatch.setenv("FLOWFORGE_FAIL_FAST", "1")
    assert shop.statuses("build", "-R", "c", "--keep-going") == {"c": "success"}
    monkeypatch.delenv("FLOWFORGE_CHANGED_SINCE")
    monkeypatch.setenv("FLOWFORGE_REBUILD_ONLY", "c")
    assert shop("build", ok=False).code == 64, "two variables contradict each other"
    monkeypatch.delenv("FLOWFORGE_REBUILD")
    assert shop.statuses("build", "-s", "b") == {"b": "cached"}


@pytest.mark.parametrize(
    "args",
    [
        ("--no-cache", "--cache", "rw"),
        ("-R", "b", "-s", "c"),
        ("-R", "b", "--exclude", "c"),
        ("-R", "b", "--rebuild"),
        ("-R", "b", "--changed-since", "HEAD"),
        ("--keep-going", "--fail-fast"),
    ],
)
def test_contradictions_are_usage_errors(shop, args: tuple[str, ...]) -> None:
    ended = shop("build", *args, ok=False)
    assert ended.code == 64
    assert "contradict" in ended.err
    assert not (shop.root / "demo.duckdb").exists()


def test_assume_unchanged_trusts_sources_of_which_nobody_knows(shop) -> None:
    import duckdb

    shop.write("sources.yml", "version: 1\nsources:\n  - name: files\n    tables: [{name: made}]\n")
    shop.write("models/d.ff.sql", "select x from {{ source('files', 'made') }}")
    with duckdb.connect(str(shop.root / "demo.duckdb")) as connection:
        connection.execute("create view made as select 1 as x, 2::variant as y")
    shop("run", "-s", "d")
    assert shop.statuses("run", "-s", "d") == {"d": "success"}
    assert shop.statuses("run", "-s", "d", "--assume-unchanged") == {"d": "cached"}
    assert shop.statuses("run", "-s", "d", "--assume-unchanged", "--rebuild") == {"d": "success"}


def test_rows_that_stay_the_same_are_told(shop) -> None:
    shop("build")
    shop.write("models/b.ff.sql", "select id, v + 0 as v from {{ ref('a') }}")
    ended = shop("build")
    assert "same rows" in ended.err
    assert shop.statuses("build")["c"] == "cached"


def test_clean_forgets_history_inside_of_the_project_only(shop, tmp_path: Path) -> None:
    outside = tmp_path / "precious"
    outside.mkdir()
    (outside / "file").write_text("kept")
    shop("build")
    assert (shop.root / ".flowforge/state.db").is_file()
    (shop.root / ".flowforge/link").symlink_to(outside, target_is_directory=True)
    shop("clean")
    assert not (shop.root / ".flowforge").exists()
    assert (outside / "file").read_text() == "kept"
    assert shop.statuses("build") == dict.fromkeys(ALL, "cached"), "the database says what is up to date"


def test_what_is_forced_but_not_selected_is_told(shop) -> None:
    shop("build")
    ended = shop("run", "-s", "a", "--rebuild", "b")
    assert "warning[FF2345]: --rebuild asks for b, which is not selected" in ended.err
    assert "help: select b too, or build nothing else: -R b" in ended.err
    assert shop.statuses("run", "-s", "a lone", "--rebuild", "lone b") == {"a": "cached", "lone": "success"}
    for args in (("-s", "a", "--rebuild", "nobody*"), ("-s", "a lone", "--rebuild", "lone b"), ("--rebuild",)):
        assert "FF2345" not in shop("run", *args).err, "a pattern may fit nothing"
