"""What a check is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import attrs

from flowforge.contract.dialect import Dialect
from flowforge.contract.version import API_VERSION
from flowforge.frozen import frozen

if TYPE_CHECKING:
    import pyarrow as pa

Severity = Literal["error", "warn", "info"]
WHOLE_ROWS = ("*",)
"""As :attr:`CheckSpec.key`: the answer holds all columns of the relation."""


def _no_table(name: str) -> str:
    raise LookupError(f"the check did not say that it reads {name!r}")


@frozen
class CheckContext:
    """What a check sees when it writes its SQL.

    Parameters
    ----------
    relation:
        The relation under test (staged rows during a build), rendered.
    params:
        An instance of the check's parameter class.
    tables:
        Finds the further tables that the check said it reads.
    """

    dialect: Dialect
    relation: str
    params: Any
    tables: Callable[[str], str] = attrs.field(default=_no_table, repr=False)

    def column(self, name: str) -> str:
        """A column's name, quoted for the engine."""
        return self.dialect.quote(name)

    def literal(self, value: Any) -> str:
        """A value as a literal of the engine."""
        return self.dialect.literal(value)

    def table(self, name: str) -> str:
        """A table that :attr:`CheckSpec.reads` named, ready to stand behind ``FROM`` with an alias."""
        return self.tables(name)


class Columns(Protocol):
    """What the engine says of the columns of the relation under test. No row is read."""

    @property
    def names(self) -> Sequence[str]:
        """All columns in order, as the engine calls them."""

    def find(self, name: str) -> str | None:
        """The column that *name* means: the one of exactly this name, else the only one but for case."""

    def word_of(self, column: str) -> str:
        """The type of a column that :meth:`find` gave, in the engine's own words."""

    def arrow_of(self, column: str) -> pa.DataType:
        """Its Arrow type."""

    def is_of(self, column: str, word: str) -> bool:
        """Whether it is of the type that a word for all engines means, such as ``integer`` or ``numeric(10,2)``."""

    def word_for(self, type_: str | pa.DataType) -> str:
        """How the engine calls a type: one that somebody wrote, or the one that holds an Arrow type.

        Raises
        ------
        Exception
            Of the engine, which knows no such type.
        """


class Past(Protocol):
    """Tells a check what earlier runs measured, under the same profile and engine."""

    def __call__(self, limit: int, since: dt.date | None = None) -> Sequence[float]:
        """The last *limit* numbers of rows that were accepted, oldest first; of this day (UTC) and later ones only.

        Raises
        ------
        FlowForgeError
            When nobody knows. Let it pass: a check that cannot compare could not run.
        """


@frozen
class Weighed:
    """What a check says that knows earlier numbers.

    Parameters
    ----------
    failure:
        The text of a failure; ``None``: it passes.
    remark:
        What people should know though it passes, such as that it is still learning.
    """

    failure: str | None = None
    remark: str | None = None


@frozen
class CheckSpec:
    """The declaration of a check: one of *violation*, *measure* (with *judge* or *weigh*), *query* or *inspect*.

    Parameters
    ----------
    name:
        What stands under ``type:`` in YAML.
    params:
        An ``attrs.frozen`` class; its attribute ``column``, when it has one, is filled in from the YAML's place.
        Values are validated while it is structured, with file and line.
    violation:
        A boolean row expression; rows for which it is *true* fail. Window functions are allowed.
    measure:
        One aggregate expression over the relation; *judge* says whether its value is good.
    judge:
        Called with the parameters, the measured value and the current time (UTC); answers with the text of a failure
        when the check fails, else ``None``.
    weigh:
        In place of *judge*, for measures that are compared with those of earlier runs: called with the parameters, the
        measured value and a :class:`Past`; answers with a :class:`Weighed`. What was measured is remembered, if it is a
        finite number. The expression of *measure* says what is compared with what, so it must not name the relation.
    query:
        A SELECT whose rows are the failures, for checks that need more than one row at a time. With *judge* it gives
        one row instead, and *judge* gets that as a mapping of its columns.
    inspect:
        Called with the parameters and the :class:`Columns` of the relation, for checks that read no rows; answers with
        the text of a failure, else ``None``.
    reads:
        Called with the parameters; answers with the names of the tables that the check reads, as they stand in the
        project's file: a model, a seed, ``ref('name')``, ``source('group', 'table')`` or a relation of others. Where
        the project's file names no ``table:``, the first of them is the table under test. In a build, the check runs
        when the last of them is about to be published.
    tally:
        A boolean row expression that is true once for each failure, where several rows make one (doubles of one
        value): it is what is counted then, while *violation* says which rows are shown.
    rejects:
        A boolean row expression that is true for every row that fails, for checks with a *query* that nevertheless
        judge single rows: by it, rows are put aside (``on_fail: quarantine``) and stored. It has to be true for the
        rows that *query* gives, and for no others.
    key:
        Called with the parameters, for checks with a *query* whose answer tells which rows of the relation fail: the
        columns of the relation that the answer holds too, by which its rows are found, or :data:`WHOLE_ROWS`. It is
        another way to say what *rejects* says, for queries that cannot be turned into a condition.
    separable:
        Whether the rows that *violation* names can be put aside and leave the others without fault. Say ``False``
        where the fault is in what is missing beside them.
    message:
        Called with the parameters and the number of failures (failing rows, unless *tally* says otherwise); the text
        of a failure. It follows the name of the table or column: ``orders.id`` *has 2 duplicates*.
    """

    name: str
    summary: str
    params: type
    violation: Callable[[CheckContext], str] | None = None
    measure: Callable[[CheckContext], str] | None = None
    judge: Callable[[Any, Any, dt.datetime], str | None] | None = None
    query: Callable[[CheckContext], str] | None = None
    message: Callable[[Any, int], str] | None = None
    tally: Callable[[CheckContext], str] | None = None
    reads: Callable[[Any], Sequence[str]] | None = None
    inspect: Callable[[Any, Columns], str | None] | None = None
    rejects: Callable[[CheckContext], str] | None = None
    key: Callable[[Any], Sequence[str]] | None = None
    separable: bool = True
    weigh: Callable[[Any, Any, Past], Weighed] | None = None
    api: int = API_VERSION

    def __attrs_post_init__(self) -> None:
        ways = [way for way in (self.violation, self.measure, self.query, self.inspect) if way is not None]
        if len(ways) != 1:
            raise ValueError(f"check {self.name!r} must declare exactly one of violation, measure, query and inspect")
        if self.measure is not None and (self.judge is None) == (self.weigh is None):
            raise ValueError(f"check {self.name!r}: a measure needs a judge, or weigh in its place")
        if self.weigh is not None and self.measure is None:
            raise ValueError(f"check {self.name!r}: weigh belongs to a measure")
        if self.judge is not None and self.measure is None and self.query is None:
            raise ValueError(f"check {self.name!r}: judge belongs to a measure or a query")
        if self.tally is not None and self.violation is None:
            raise ValueError(f"check {self.name!r}: tally belongs to violation")
        if self.rejects is not None and (self.query is None or self.judge is not None):
            raise ValueError(f"check {self.name!r}: rejects belongs to a query whose rows are the failures")
        if self.key is not None and (self.query is None or self.judge is not None or self.rejects is not None):
            raise ValueError(
                f"check {self.name!r}: key belongs to a query whose rows are the failures, without rejects"
            )

    @property
    def row_condition(self) -> Callable[[CheckContext], str] | None:
        """The condition by which failing rows can be put aside; ``None``: the check has none."""
        return self.rejects or (self.violation if self.separable else None)

    @property
    def judges_rows(self) -> bool:
        """Whether failing rows can be put aside: by :attr:`row_condition`, or by the *key* of what its query gives."""
        return self.row_condition is not None or self.key is not None
