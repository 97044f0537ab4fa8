"""What a check in Python may do with the database: ask it.

It is a fence against slips and no jail: the code is the project's own, and whoever wants to break out will.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flowforge.contract import Dialect, Session
from flowforge.errors import CheckConfigError, EngineError
from flowforge.project.lexer import code_spans, leading_keyword, lex, statements
from flowforge.project.single_query import FORBIDDEN

if TYPE_CHECKING:
    import pyarrow as pa

_CHANGES = re.compile(
    r"\b(?:insert\s+(?:into|overwrite)|delete\s+from|merge\s+into|update\s+[^\s(]+\s+set|select\b.*?\binto)\b|\bfor\s+(?:no\s+key\s+)?update\b",
    re.IGNORECASE | re.DOTALL,
)


def changes_something(sql: str) -> str | None:
    """Why *sql* is no plain query; ``None`` when it is one, as far as its words tell."""
    found = statements(sql)
    if len(found) != 1:
        return "it is several statements" if found else "it is empty"
    keyword, _ = leading_keyword(sql)
    if keyword in FORBIDDEN:
        return f"it is a {keyword.upper()} statement"
    code = " ' ".join(sql[start:end] for start, end in code_spans(sql, lex(sql, jinja=False)))
    word = _CHANGES.search(code)
    return f"it changes something: {' '.join(word[0].split())[:40]}" if word is not None else None


class ColumnName(str):
    """A column's name as it stands in SQL, quoted for the engine; ``name`` is the plain one."""

    __slots__ = ("name",)
    name: str

    def __new__(cls, quoted: str, name: str) -> ColumnName:
        made = super().__new__(cls, quoted)
        made.name = name
        return made


class CheckExecutor:
    """The database, to be read. One thread; it is of no use after the check has ended.

    In a build it sees the rows that are about to be published, under the name that the check gets as ``table``.
    """

    __slots__ = ("_dialect", "_session", "_translate", "engine")

    def __init__(
        self, session: Session, dialect: Dialect, translate: Callable[[BaseException], EngineError | None]
    ) -> None:
        self._session = session
        self._dialect = dialect
        self._translate = translate
        self.engine = dialect.name
        """The engine's name."""

    def query(self, sql: str) -> pa.Table:
        """All rows of a query, as an Arrow table.

        Raises
        ------
        CheckConfigError
            When it is no query.
        EngineError
            For what the engine reports.
        """
        reason = changes_something(sql)
        if reason is not None:
            raise CheckConfigError(
                f"a check only reads, and runs no such statement: {reason}", code="FF3044", help="write one SELECT"
            )
        try:
            with self._session.query(sql) as reader:
                return reader.read_all()
        except Exception as problem:
            error = problem if isinstance(problem, EngineError) else self._translate(problem)
            if error is None or error is problem:
                raise
            raise error from problem

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """All rows of a query, as mappings from column to value."""
        rows: list[dict[str, Any]] = self.query(sql).to_pylist()
        return rows

    def scalar(self, sql: str) -> Any:
        """The first column of the first row of a query; ``None`` when it gives no row."""
        table = self.query(sql)
        return table.column(0)[0].as_py() if table.num_rows and table.num_columns else None

    def quote(self, name: str) -> str:
        """A name as an identifier of the engine."""
        return self._dialect.quote(name)

    def literal(self, value: Any) -> str:
        """A value as a literal of the engine."""
        return self._dialect.literal(value)
