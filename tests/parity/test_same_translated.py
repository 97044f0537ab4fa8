"""The portable project says that it is written in the dialect of one engine, and gives the same rows on the other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parent / "project"
DIVISIONS = "models/marts/divisions.ff.sql"


@pytest.mark.parametrize(("dialect", "place"), [("duckdb", 1), ("postgres", 0)])
def test_the_same_rows_when_translated(dialect: str, place: int, pristine: Any, portable: Callable[..., Any]) -> None:
    divisions = (PROJECT / DIVISIONS).read_text("utf-8")
    files = {"project.yml": (PROJECT / "project.yml").read_text("utf-8") + f"\ndialect: {dialect}\n"}
    if (
        dialect == "postgres"
    ):  # nobody can tell which division of columns PostgreSQL makes, so one model speaks for itself
        files[DIVISIONS] = "{{ config(dialect='duckdb') }}\n" + divisions
    there = portable(files)[place]
    done = there("build")
    assert done.code == 0, done
    assert "FF1146" not in done.err, done.err
    stands, native = there.shown("parity", "parity_marts"), pristine.places[place].shown("parity", "parity_marts")
    assert stands.keys() == native.keys()
    for name, one in native.items():
        assert stands[name].rows == one.rows, name
        assert list(stands[name].types) == list(one.types), name
