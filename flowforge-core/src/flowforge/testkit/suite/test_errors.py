"""Errors in the contract's words, at the right place, with the session usable afterwards."""

from __future__ import annotations

import pytest

from flowforge.contract import Capability, CreateKind
from flowforge.errors import Committed, EngineError, ErrorKind
from flowforge.testkit.lab import Lab
from flowforge.testkit.marks import requires


def usable(lab: Lab, session: object) -> bool:
    return lab.rows(session, f"SELECT 1 AS {lab.names('id')}") == [(1,)]  # type: ignore[arg-type]


def test_what_is_no_error_of_the_engine(lab: Lab) -> None:
    for exc in (ValueError("x"), OSError("x"), KeyboardInterrupt()):
        assert lab.executor.error(exc) is None


def test_an_error_in_the_contracts_words_stays_as_it_is(lab: Lab) -> None:
    error = EngineError("x")
    assert lab.executor.error(error) in (None, error)


def test_wrong_syntax(lab: Lab) -> None:
    session = lab.session()
    with lab.refused(ErrorKind.SYNTAX) as refusal:
        session.query("SELEC 1")
    assert refusal.error.committed is Committed.NO
    assert not refusal.error.retryable
    assert usable(lab, session)


@pytest.mark.parametrize("way", ["query", "execute", "create_as", "schema_of"])
def test_a_missing_relation(lab: Lab, way: str) -> None:
    session = lab.session()
    select = f"SELECT * FROM {lab.sql(lab.relation('ghost_table'))}"
    with lab.refused(ErrorKind.MISSING) as refusal:
        if way == "query":
            session.query(select).read_all()
        elif way == "execute":
            session.execute(select)
        elif way == "create_as":
            session.create_as(lab.relation("t"), select, CreateKind.TABLE)
        else:
            session.schema_of(select)
    assert lab.dialect.fold("ghost_table") in refusal.error.message
    assert usable(lab, session)


def test_a_missing_column(lab: Lab) -> None:
    session = lab.session()
    table = lab.table(session, "t", {"id": [1]})
    with lab.refused(ErrorKind.MISSING) as refusal:
        session.query(f"SELECT ghost_column FROM {lab.sql(table)}").read_all()
    assert "ghost_column" in refusal.error.message.lower()
    assert usable(lab, session)


@requires(Capability.STRICT_CASTS)
def test_a_value_that_cannot_be_cast(lab: Lab) -> None:
    import pyarrow as pa

    session = lab.session()
    table = lab.table(session, "t", {"name": ["no number"]})
    integer = lab.dialect.type_name(pa.int64())
    with lab.refused(ErrorKind.TYPE):
        session.query(f"SELECT CAST({lab.names('name')} AS {integer}) AS n FROM {lab.sql(table)}").read_all()
    assert usable(lab, session)


@requires(Capability.STRICT_CASTS)
def test_an_error_in_the_middle_of_the_rows(lab: Lab) -> None:
    import pyarrow as pa

    session = lab.session()
    values = ["1"] * 299_999 + ["no number"]
    table = lab.table(session, "t", {"name": values})
    integer = lab.dialect.type_name(pa.int64())
    with lab.refused(ErrorKind.TYPE):
        session.query(f"SELECT CAST({lab.names('name')} AS {integer}) AS n FROM {lab.sql(table)}").read_all()
    assert usable(lab, session)


def test_messages_are_short_and_plain(lab: Lab) -> None:
    with lab.refused() as refusal:
        lab.session().query(f"SELECT * FROM {lab.sql(lab.relation('ghost_table'))}").read_all()
    assert 0 < len(refusal.error.message) < 300
    assert "\n" not in refusal.error.message
    assert "Traceback" not in refusal.error.message


WRONG = {
    "one line": "SELECT ghost_column FROM {t}",
    "another line": "SELECT\n  {id},\n  ghost_column\nFROM {t}",
    "after wide letters": "SELECT '日本語 🦆 é' AS a, ghost_column FROM {t}",
    "after a tab": "SELECT\t{id},\tghost_column FROM {t}",
    "far behind": "SELECT " + "{id} + " * 60 + "ghost_column FROM {t} WHERE " + "{id} = 1 AND " * 30 + "1 = 1",
    "after a comment": "-- ghost_column\nSELECT ghost_column FROM {t}",
}


@requires(Capability.ERROR_POSITION)
@pytest.mark.parametrize("way", ["query", "execute", "create_as", "insert", "schema_of"])
@pytest.mark.parametrize("text", list(WRONG.values()), ids=list(WRONG))
def test_the_position_is_where_the_mistake_is(lab: Lab, text: str, way: str) -> None:
    session = lab.session()
    table = lab.table(session, "t", {"id": [1]})
    select = text.replace("{t}", lab.sql(table)).replace("{id}", lab.names("id"))
    with lab.refused(ErrorKind.MISSING) as refusal:
        if way == "query":
            session.query(select).read_all()
        elif way == "execute":
            session.execute(select)
        elif way == "create_as":
            session.create_as(lab.relation("new"), select, CreateKind.TABLE)
        elif way == "insert":
            session.insert(table, select, ["id"])
        else:
            session.schema_of(select)
    assert refusal.error.position is not None
    assert refusal.error.position == select.rindex("ghost_column")


@requires(Capability.ERROR_POSITION)
def test_the_position_of_wrong_syntax(lab: Lab) -> None:
    select = "SELECT 1 AS a\nFROM FROM x"
    with lab.refused(ErrorKind.SYNTAX) as refusal:
        lab.session().query(select)
    assert refusal.error.position == select.rindex("FROM")
