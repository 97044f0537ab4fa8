"""What PostgreSQL calls the types of columns, and that a contract's cast cuts no text."""

from __future__ import annotations

import psycopg
import pytest

from flowforge.contract import CreateKind, TableOptions
from flowforge.errors import ModelExecutionError
from flowforge.materialize.casting import Casting, Target
from flowforge.materialize.column_types import ColumnTypes
from flowforge.values import Location, Relation
from flowforge_postgres.executor import PostgresExecutor

HERE = Location("t.contracts.yml", 1, 1)


def casting(executor: PostgresExecutor, physical: str) -> Casting:
    return Casting("t", (Target("v", physical, None, HERE),), HERE, executor.dialect, "run1", executor.error)


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("int", "integer"),
        ("INT4", "integer"),
        ("varchar(10)", "character varying(10)"),
        ("text", "text"),
        ("decimal(10, 2)", "numeric(10,2)"),
        ("numeric", "numeric"),
        ("timestamptz", "timestamp with time zone"),
        ("float8[]", "double precision[]"),
        ("bpchar(3)", "character(3)"),
        ("timestamp(3)", "timestamp(3) without time zone"),
    ],
)
def test_words_of_types(executor: PostgresExecutor, written: str, word: str) -> None:
    with executor.session(label="t") as session:
        assert session.type_word(written) == word
        assert session.column_types(f"SELECT CAST(NULL AS {written}) AS v, 'x' AS w") == {"v": word, "w": "text"}


def test_an_unknown_type_does_no_harm_to_a_transaction(executor: PostgresExecutor) -> None:
    with executor.session(label="t") as session, session.transaction():
        with pytest.raises(Exception, match="no_such"):
            ColumnTypes(session, executor.dialect, "SELECT 1 AS v").word_for("no_such")
        assert ColumnTypes(session, executor.dialect, "SELECT 1 AS v").words == {"v": "integer"}


@pytest.mark.parametrize(
    ("value", "physical", "kept"),
    [
        ("'abc'::text", "varchar(3)", True),
        ("'abcd'::text", "varchar(3)", False),
        ("'ab'::varchar(3)", "text", True),
        ("1.25::numeric", "numeric(10,2)", True),
        ("1.255::numeric", "numeric(10,2)", False),
        ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", "text", True),
        ("'2024-01-01 00:00:00.123456'::timestamp", "timestamp(3)", False),
        ("'{1,2}'::int[]", "bigint[]", True),
        ("'{1.5}'::numeric[]", "int[]", False),
    ],
)
def test_casts(
    executor: PostgresExecutor, outside: psycopg.Connection[object], value: str, physical: str, kept: bool
) -> None:
    with executor.session(label="t") as session, session.transaction():
        cast = casting(executor, physical)
        try:
            cast.create(session, Relation("made"), f"SELECT {value} AS v", CreateKind.TABLE, TableOptions())
        except ModelExecutionError as error:
            assert (kept, error.code) == (False, "FF3064")
            return
        assert kept
        words = ColumnTypes(session, executor.dialect, "SELECT * FROM made")
        assert words.word_of("v") == words.word_for(physical)
