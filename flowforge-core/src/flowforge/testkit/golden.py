"""The SQL of portable functions, word by word: what an engine's author holds the dialect to, without a database.

That this SQL gives the right rows is shown by the conformance suite, see :mod:`flowforge.testkit.functions`.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from flowforge.contract import Dialect
from flowforge.contract.functions import FUNCTIONS, PARTS, TYPES
from flowforge.errors import RenderError
from flowforge.frozen import frozen
from flowforge.testkit.functions import written

_IN_PARTS = ("date_trunc", "date_add", "date_diff")


@frozen
class Golden:
    """What one call becomes.

    Parameters
    ----------
    call:
        An expression of a template.
    sql, error:
        The SQL that it becomes, or the message of the error that says why there is none.
    """

    call: str
    sql: str | None = None
    error: str | None = None

    def __str__(self) -> str:
        return self.call


def read_golden(file: Path) -> list[Golden]:
    """The ``[[golden]]`` tables of a TOML file, in their order."""
    return [Golden(**table) for table in tomllib.loads(file.read_text("utf-8"))["golden"]]


def assert_golden(dialect: Dialect, golden: Golden) -> None:
    """A call becomes exactly this SQL, and the readers of SQL understand it as an expression on one row.

    Raises
    ------
    AssertionError
        When it becomes something else, or reads a relation, or seems to change with the time without need.
    """
    from flowforge.project.volatile_sql import scan_rendered

    try:
        sql = written(dialect, golden.call)
    except RenderError as error:
        assert (error.code, error.message) == ("FF1418", golden.error), f"{golden}: {error.message}"
        return
    assert sql == golden.sql, f"{golden} is written {sql}"
    query = f"SELECT {sql} AS r FROM t"
    if dialect.sqlglot is not None:
        import sqlglot

        sqlglot.parse_one(query, read=dialect.sqlglot)  # so does `flowforge validate`
    found = scan_rendered(query, [(dialect.fold("t"),)], dialect.fold)
    assert not found.relations, f"{golden} seems to read {found.relations}"
    assert bool(found.volatile) == ("current_timestamp" in golden.call), f"{golden} is volatile or is not"


def assert_all_said(dialect: Dialect) -> None:
    """The dialect writes every portable function that has no common form, or refuses it with a reason; and no other.

    Raises
    ------
    AssertionError
        When it leaves one out, or speaks of one that there is not.
    """
    known = {*FUNCTIONS, *(f"{name}.{part}" for name in _IN_PARTS for part in PARTS)}
    strange = set(dialect.functions) - known - {f"type.{word}" for word in TYPES}
    assert not strange, f"these are no portable functions: {sorted(strange)}"
    said = {key.partition(".")[0] for key in dialect.functions} | {"type"}
    needed = {name for name, one in FUNCTIONS.items() if one.standard is None and "." not in name}
    assert needed <= said, f"nothing is said of {sorted(needed - said)}"
