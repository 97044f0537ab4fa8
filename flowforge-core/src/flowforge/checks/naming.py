"""Finds the rows that the answer of a check's query means in the table under test, and says it as a condition.

The answer holds whole rows of the table, or the columns of a key. They are compared by the hash that names rows in
decisions too, in which NULL is a value like any other: rows that are equal to a row of the answer are meant, all of them.
Knows sessions, text and types; no project.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowforge.contract import WHOLE_ROWS, Dialect, Session
from flowforge.errors import CheckConfigError
from flowforge.frozen import frozen
from flowforge.materialize.columns import Shape
from flowforge.values import Location


@frozen
class Answer:
    """What a check says of the rows that fail.

    Parameters
    ----------
    check:
        Its id, for messages.
    location:
        Where its query is written.
    sql:
        The query.
    key:
        Columns of the table that the answer holds too, or ``WHOLE_ROWS``.
    """

    check: str
    location: Location
    sql: str
    key: Sequence[str]

    def _flaw(self, what: str, help: str) -> CheckConfigError:
        return CheckConfigError(
            f"nobody can tell which rows the check {self.check!r} means: {what}",
            code="FF3069",
            location=self.location,
            help=help,
        )

    def condition(self, session: Session, dialect: Dialect, relation_sql: str, columns: Shape) -> str:
        """The condition of a row that the answer means, over a relation with these *columns*.

        Asks the query once or twice, so that an answer that means nothing is never taken for "all is well".

        Raises
        ------
        CheckConfigError
            When the answer lacks a column, or holds something that is no row of the relation (``FF3069``).
        Exception
            Whatever the driver raises.
        """
        if not _number(session, f"SELECT COUNT(*) AS n FROM {self._answer}"):
            return "1 = 0"
        names = self._columns(session, columns)
        types = {name: columns.types[name] for name in names}
        hash_ = dialect.row_hash(types)
        listed = ", ".join(f"ff__answer.{dialect.quote(old)} AS {dialect.quote(name)}" for name, old in names.items())
        found = f"(SELECT {listed} FROM {self._answer}) AS ff__found"
        strange = _number(
            session,
            f"SELECT COUNT(*) AS n FROM (SELECT {hash_} AS ff__hash FROM {found}) AS ff__named "
            f"WHERE ff__named.ff__hash NOT IN (SELECT {hash_} FROM {relation_sql} AS ff__source)",
        )
        if strange:
            rows = "1 row of its answer is" if strange == 1 else f"{strange} rows of its answer are"
            raise self._flaw(
                f"{rows} not in the table",
                "let the query give rows of the table as they are, or name the columns that tell them: key=",
            )
        return f"({hash_}) IN (SELECT {hash_} FROM {found})"

    @property
    def _answer(self) -> str:
        return f"(\n{self.sql}\n) AS ff__answer"

    def _columns(self, session: Session, columns: Shape) -> dict[str, str]:
        """The columns that are compared: what they are called in the table, and in the answer."""
        schema = session.schema_of(self.sql)
        answer = Shape({field.name: field.type for field in schema} if schema is not None else {})
        whole = tuple(self.key) == WHOLE_ROWS
        found = {}
        for key in columns.types if whole else self.key:
            name = columns.find(key)
            if name is None:
                raise self._flaw(f"the table has no column {key!r}", f"it has {', '.join(columns.types)}")
            old = answer.find(name)
            if old is None:
                raise self._flaw(
                    f"its answer has no column {name!r}",
                    "select * from the table, or name the columns that tell its rows: key="
                    if whole
                    else "select the columns of the key too",
                )
            found[name] = old
        return found


def _number(session: Session, sql: str) -> int:
    return int(session.query(sql).read_all().column(0)[0].as_py())
