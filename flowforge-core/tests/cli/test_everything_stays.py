"""What a process that ends with its command keeps out of the search for garbage; nobody else's process is changed."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowforge.cli.main import run


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


@pytest.fixture
def project(tmp_path: Path) -> str:
    (tmp_path / "models").mkdir()
    (tmp_path / "project.yml").write_text("name: small\nversion: '1'\n")
    (tmp_path / "models" / "a.ff.sql").write_text("select 1 as id\n")
    return str(tmp_path)


def test_a_loaded_project_is_not_searched_again(project: str) -> None:
    gc.unfreeze()
    assert run(["ls", project], alone=True) == 0
    assert gc.get_freeze_count() > 0
    assert gc.isenabled()


def test_who_calls_a_command_in_a_process_of_his_own_keeps_his_objects(project: str) -> None:
    gc.unfreeze()
    assert run(["ls", project]) == 0
    assert gc.get_freeze_count() == 0
    assert gc.isenabled()


def test_garbage_is_searched_after_a_project_that_cannot_be_loaded(project: str) -> None:
    Path(project, "project.yml").write_text("nam: small\n")
    assert run(["ls", project], alone=True) == 1
    assert gc.isenabled()


def test_who_does_without_a_search_goes_on_without(project: str) -> None:
    gc.disable()
    assert run(["ls", project], alone=True) == 0
    assert not gc.isenabled()
