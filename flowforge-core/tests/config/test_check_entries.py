"""The three spellings of a check, and what they may not say."""

from __future__ import annotations

import pytest

from flowforge.config.check_entries import RawCheck, parse_checks
from flowforge.config.yaml import parse_yaml
from flowforge.errors import FlowForgeError, Problems


def parse(text: str, table: str | None = "users", column: str | None = "id") -> tuple[RawCheck, ...]:
    problems = Problems()
    document = parse_yaml(text, "f")
    checks = parse_checks(document.data, document, (), problems=problems, table=table, column=column)
    problems.raise_if_any()
    return checks


def flaws(text: str, table: str | None = "users", column: str | None = "id") -> list[FlowForgeError]:
    problems = Problems()
    document = parse_yaml(text, "f")
    assert not parse_checks(document.data, document, (), problems=problems, table=table, column=column)
    return list(problems)


@pytest.mark.parametrize(
    "entry",
    [
        "accepted_values: {values: [a, b], severity: warn, tags: [x, y], name: mine}",
        "type: accepted_values\n  values: [a, b]\n  severity: warn\n  tags: [x, y]\n  name: mine",
        "accepted_values: {values: [a, b]}\n  severity: warn\n  tags: [x, y]\n  name: mine",
    ],
)
def test_all_spellings_mean_the_same(entry: str) -> None:
    (check,) = parse(f"- {entry}\n")
    assert (check.type, check.params, check.table, check.column) == (
        "accepted_values",
        {"values": ["a", "b"]},
        "users",
        "id",
    )
    assert (check.severity, check.tags, check.name) == ("warn", ("x", "y"), "mine")


def test_defaults() -> None:
    plain, none, empty = parse("[not_null, {not_null: }, {type: not_null}]")
    for check in (plain, none, empty):
        assert (check.type, dict(check.params), check.severity, check.tags, check.name) == (
            "not_null",
            {},
            "error",
            (),
            None,
        )
    assert parse("[{unique: {tags: one}}]")[0].tags == ("one",)


def test_a_column_can_be_named_where_the_place_has_none() -> None:
    (check,) = parse("[{unique: {column: email}}]", column=None)
    assert check.column == "email"
    (check,) = parse("[{type: row_count_between, min_rows: 1}]", column=None)
    assert check.column is None


@pytest.mark.parametrize(
    ("entry", "path", "key", "place"),
    [
        ("{accepted_values: {values: [a, 5]}}", (), False, "f:1:3"),
        ("{accepted_values: {values: [a, 5]}}", ("values", 1), False, "f:1:34"),
        ("{accepted_values: {values: [a, 5]}}", ("values",), True, "f:1:22"),
        ("{type: between, min: 1, max: 0}", ("max",), False, "f:1:32"),
        ("not_null", ("values",), False, "f:1:3"),
        ("not_null", (), False, "f:1:3"),
    ],
)
def test_parameters_can_be_located(entry: str, path: tuple[str | int, ...], key: bool, place: str) -> None:
    (check,) = parse(f"- {entry}\n")
    assert str(check.locate(path, key)) == place


@pytest.mark.parametrize(
    ("entry", "code", "words"),
    [
        ("5", "FF1005", "should be a text or a mapping"),
        ("''", "FF1005", "should be a text or a mapping"),
        ("null", "FF1005", "found nothing"),
        ("[unique]", "FF1005", "found a list"),
        ("{}", "FF1005", "found a mapping"),
        ("{5: {}}", "FF1005", "the key 5"),
        ("{type: 5}", "FF1005", "'type' should be a text"),
        ("{severity: warn}", "FF1005", "names no check"),
        ("{unique: {}, not_null: {}}", "FF1005", "names 2 checks: unique, not_null"),
        ("{unique: [a]}", "FF1005", "mapping of parameters"),
        ("{unique: {5: 1}}", "FF1005", "the key 5"),
        ("{unique: {severity: fatal}}", "FF1005", "'severity' should be one of 'error', 'warn'"),
        ("{unique: {tags: [5]}}", "FF1005", "'tags[0]' should be a text"),
        ("{unique: {name: ''}}", "FF1005", "'name' is not valid"),
        ("{unique: {severity: warn}, severity: error}", "FF1004", "given twice"),
        ("{unique: {table: users}}", "FF1004", "known from the place"),
        ("{unique: {column: id}}", "FF1004", "known from the place"),
    ],
)
def test_what_is_refused(entry: str, code: str, words: str) -> None:
    (error,) = flaws(f"- {entry}\n")
    assert error.code == code
    assert words in error.message
    assert error.location is not None
    assert error.location.line == 1


def test_a_severity_is_blamed_where_it_stands() -> None:
    (error,) = flaws("- unique: {}\n  severity: wran\n")
    assert str(error.location) == "f:2:13"
    assert error.help == "did you mean 'warn'?"
    (error,) = flaws("- type: unique\n  severity: wran\n")
    assert str(error.location) == "f:2:13"


def test_an_entry_without_a_table_says_so() -> None:
    assert [check.table for check in parse("- not_null\n- {type: unique, column: id}\n", None, None)] == ["", ""]


def test_good_entries_survive_their_bad_neighbours() -> None:
    problems = Problems()
    document = parse_yaml("[unique, 5, not_null]", "f")
    checks = parse_checks(document.data, document, (), problems=problems, table="t")
    assert [check.type for check in checks] == ["unique", "not_null"]
    assert len(problems) == 1
