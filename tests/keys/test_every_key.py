"""No key is accepted and ignored: each has a row that says what it does, or how it is refused, and the row is true."""

from __future__ import annotations

from pathlib import Path

import pytest
from key_board.inventory import SAME, decorator_keywords, name_of, promised, read_classes, walked
from key_board.rows import Row, rows
from key_board.stage import Stage

from flowforge.config import sources
from flowforge.config.flaws import LATER_KEY


def missing(known: set[str], had: set[str]) -> list[str]:
    """The keys of *known* that have no row."""
    return sorted(known - had)


def test_every_key_of_the_interface_has_a_row() -> None:
    assert missing(promised(), set(rows())) == []


def test_every_key_of_a_class_has_a_row() -> None:
    assert missing(set(walked()), set(rows())) == []


def test_every_row_is_about_a_key() -> None:
    assert missing(set(rows()), promised() | set(walked())) == []


def test_a_key_without_a_row_is_noticed() -> None:
    had = set(rows())
    assert missing({*had, "model/colour"}, had) == ["model/colour"]
    assert "model/incremental/strategy" in walked()
    assert walked()["model/unique_key"].origin == name_of(read_classes()["flowforge.project.model_config:_Written"])


def test_a_key_that_is_refused_by_name_has_a_row_that_says_so() -> None:
    refused = {key for key, row in rows().items() if row.refused is not None and LATER_KEY in row.refused}
    later = {key for key, found in walked().items() if found.later}
    assert missing(later, {key for key, row in rows().items() if row.refused is not None}) == []
    assert missing({key for key in refused if key in walked()}, later) == []


def test_keys_that_stand_on_the_board_under_another_class() -> None:
    assert set(SAME) == {name_of(sources.BARE_TABLE)}
    assert read_classes().keys() >= set(SAME)


def test_decorators_offer_every_key_of_models() -> None:
    """What works in ``@model(...)`` is no error for a type checker, and no promise of it is empty."""
    fields = {name.removeprefix("model/") for name, key in walked().items() if name.count("/") == 1 and not key.later}
    offered = decorator_keywords()
    assert offered - fields - {"name", "deps", "require", "requires", "only"} == set()


ACTING = [pytest.param(row, id=row.key) for row in rows().values() if row.refused is None]
REFUSED = [row for row in rows().values() if row.refused is not None]


@pytest.mark.parametrize("row", ACTING)
def test_a_key_acts(row: Row, tmp_path: Path) -> None:
    seen = []
    environs = (row.environ, row.environ if row.otherwise_environ is None else row.otherwise_environ)
    for folder, text, environ in zip(("with", "without"), (row.written, row.without), environs, strict=True):
        stage = Stage(tmp_path / folder, row.project(text), environ)
        for step in row.do:
            stage.perform(step)
        seen.append(stage.look(row.see))
    assert seen == [row.gives, row.otherwise]
    assert row.gives != row.otherwise, "a row that sees no difference proves nothing"


@pytest.mark.parametrize("row", REFUSED, ids=[row.key for row in REFUSED])
def test_a_key_is_refused(row: Row, tmp_path: Path) -> None:
    errors = Stage(tmp_path / "with", row.project(row.written), row.environ).refusal(row.do)
    places = [f"{error.code} {error.location}" for error in errors]
    codes, _, place = str(row.refused).partition(" ")  # an engine's distribution may be there, without its engine
    assert {f"{code} {place}" for code in codes.split("|")} & set(places), errors
    assert row.help in "\n".join(str(error) for error in errors)
    rest = Stage(tmp_path / "without", row.project(row.without), row.otherwise_environ or row.environ)
    assert rest.refusal(row.do) == [], "without the key it has to be sound"
