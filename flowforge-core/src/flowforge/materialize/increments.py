"""How a table grows: new rows are staged, compared with the table, and put beside or in place of rows that it has.

Nothing is decided by position: columns are matched by name. Keys are looked at before anything is written. Knows
sessions and SQL that every engine understands; nothing of transactions, ``_ff_meta`` or the order of the protocol.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Iterable, Sequence

import attrs

from flowforge.contract import Capability, CreateKind, Dialect, EngineSpec, Session, TableOptions
from flowforge.errors import ModelExecutionError
from flowforge.frozen import frozen
from flowforge.materialize.casting import Casting
from flowforge.materialize.columns import Fit, OnChange, Shape, fit, shape_of
from flowforge.materialize.moments import TimeKind, outside, time_kind, within
from flowforge.project.windows import Window
from flowforge.values import Relation, RelationKind

NewRows = Callable[[Session, Relation], int | None]
"""Creates the relation that it is given, and returns its number of rows, if it is known."""


class Strategy(enum.Enum):
    """What becomes of rows that are in the table already."""

    APPEND = "append"
    MERGE = "merge"
    DELETE_INSERT = "delete+insert"
    OVERWRITE = "insert_overwrite"
    MICROBATCH = "microbatch"


@frozen
class Increment:
    """How the rows of one model are added to those it has.

    Parameters
    ----------
    select:
        The query of the new rows; ``None``: what *write*, or else the publication's writer gives.
    key:
        Columns that tell rows apart; for ``merge`` and ``delete+insert``.
    partition:
        Columns whose values are replaced together; for ``insert_overwrite``.
    watermark:
        Columns that grow: only rows with a higher value in one of them are new.
    begun:
        Called when *select* is about to be run.
    event_time, window:
        The column that says when a row happened, and the window that the new rows take the place of; for
        ``microbatch``.
    """

    strategy: Strategy
    select: str | None = None
    key: tuple[str, ...] = ()
    partition: tuple[str, ...] = ()
    watermark: tuple[str, ...] = ()
    on_change: OnChange = OnChange.IGNORE
    begun: Callable[[], None] = lambda: None
    event_time: str | None = None
    window: Window | None = None
    write: NewRows | None = None


def is_new(dialect: Dialect, target: Relation, watermark: Sequence[str], *, strictly: bool) -> str:
    """The condition under which a row of a query is new to *target*; rows without a watermark are.

    Parameters
    ----------
    strictly:
        Rows that are as new as the newest in the table are not taken again.
    """
    table = dialect.render(target)
    conditions = []
    for name in watermark:
        column = dialect.quote(name)
        # Named in full: without the table's name, a column that it lacks would be taken from the rows themselves.
        newest = f"(SELECT MAX(ff_table.{column}) FROM {table} AS ff_table)"
        conditions.append(f"{column} {'>' if strictly else '>='} {newest} OR {column} IS NULL OR {newest} IS NULL")
    return " OR ".join(conditions)


@frozen
class Growth:
    """New rows that are staged, and the table that they belong to. One thread."""

    session: Session
    engine: EngineSpec
    dialect: Dialect
    target: Relation
    batch: Relation
    increment: Increment
    fit: Fit
    rows: int
    node: str

    # looking, before anything is written

    @classmethod
    def of(
        cls,
        session: Session,
        engine: EngineSpec,
        dialect: Dialect,
        *,
        target: Relation,
        batch: Relation,
        increment: Increment,
        node: str,
    ) -> Growth:
        """Compare what is staged in *batch* with the table.

        Raises
        ------
        ModelExecutionError
            When columns differ in a way that is not wanted, keys are doubled or NULL, or rows belong elsewhere.
        """
        table, new = (shape_of(session, dialect, one, node) for one in (target, batch))
        refuse_bad_keys(session, dialect, batch, increment, node)
        refuse_outside(session, dialect, batch, increment, node)
        if increment.window is not None:
            time_column(table, increment, node, "the table")
        rows = _number(session, f"SELECT COUNT(*) AS n FROM {dialect.render(batch)}")
        return cls(
            session, engine, dialect, target, batch, increment, fit(table, new, increment.on_change, node), rows, node
        )

    def is_nothing(self, spare: Relation, *, compare: bool = True) -> bool:
        """Whether the table would have the same rows afterwards. *spare* is a name that may be used for a moment.

        Parameters
        ----------
        compare:
            New rows may be compared with those that they take the place of, which costs a scan.
        """
        if self.fit.changes_the_table or self.fit.missing or not self.keeps_rows:
            return False
        if self.increment.strategy is Strategy.MICROBATCH:
            replaced = f"SELECT COUNT(*) AS n FROM {self._sql(self.target)} WHERE {self._is_replaced}"
            if _number(self.session, replaced) != self.rows:
                return False
        if not self.rows:
            return True
        if (
            not compare
            or self.increment.strategy is Strategy.APPEND
            or not self.engine.support(Capability.CONTENT_HASH)
        ):
            return False
        names = self._names(self.fit.shared.values())
        mine = f"SELECT {names} FROM {self._sql(self.batch)}"
        theirs = f"SELECT {self._names(self.fit.shared)} FROM {self._sql(self.target)} WHERE {self._is_replaced}"
        hashes = []
        for select in (mine, theirs):
            self.session.create_as(spare, select, CreateKind.TABLE)
            hashes.append(self.session.content_hash(spare))
            self.session.drop(spare, RelationKind.TABLE)
            if hashes[0] is None:
                return False
        return hashes[0] == hashes[1]

    # writing

    def write(self, clone: Relation | None = None) -> None:
        """Change the table in place, only inside of a transaction; or a *clone* of it, which nobody reads yet."""
        if clone is not None:
            attrs.evolve(self, target=clone).write()
            return
        columns = list(self.fit.shared)
        select = f"SELECT {self._batch_columns()} FROM {self._sql(self.batch)}"
        strategy = self.increment.strategy
        if strategy is Strategy.MERGE and self.engine.support(Capability.MERGE) and _same_names(self.fit.shared):
            self.session.merge(self.target, self.batch, list(self.increment.key), columns)
            return
        if strategy is not Strategy.APPEND:
            self.session.execute(f"DELETE FROM {self._sql(self.target)} WHERE {self._is_replaced}")
        self.session.insert(self.target, select, columns)

    @property
    def keeps_rows(self) -> bool:
        """Whether rows of the table may stay at all."""
        return self.increment.strategy is not Strategy.OVERWRITE or bool(self.increment.partition)

    @property
    def can_write(self) -> bool:
        """Whether :meth:`write` does it: the table keeps its columns, and rows lose nothing that new ones lack."""
        if self.fit.changes_the_table:
            return False
        if self.fit.missing and self.increment.strategy not in (Strategy.APPEND, Strategy.MICROBATCH):
            merges = self.increment.strategy is Strategy.MERGE and self.engine.support(Capability.MERGE)
            return bool(merges) and _same_names(self.fit.shared)
        return True

    def rewritten(self) -> str:
        """The query of all rows that the table is to have, under the columns that it is to have."""
        old, new = [], []
        for name in self.fit.order:
            column, other = self.dialect.quote(name), self.fit.shared.get(name)
            if other is None:
                only = "ff_old" if name in self.fit.missing else "ff_new"
                old.append(f"{only}.{column}")
                new.append(f"{only}.{column}")
                continue
            old.append(f"{self._retyped(name, other)} AS {column}" if name in self.fit.retyped else f"ff_old.{column}")
            new.append(f"ff_new.{self.dialect.quote(other)} AS {column}")
        stay = f" WHERE {self._stays_of('ff_old')}"
        if self.increment.strategy is Strategy.APPEND:
            stay = ""
        target, batch = self._sql(self.target), self._sql(self.batch)
        nothing = f"(SELECT * FROM {batch} WHERE 1 = 0)"
        kept = f"SELECT {', '.join(old)} FROM {target} AS ff_old LEFT JOIN {nothing} AS ff_new ON 1 = 0{stay}"
        if not self.fit.missing:
            return f"{kept} UNION ALL SELECT {', '.join(new)} FROM {batch} AS ff_new"
        on = " AND ".join(
            f"ff_old.{self.dialect.quote(name)} = ff_new.{self.dialect.quote(self._in_batch(name))}"
            for name in self.increment.key
        )
        matched = on if on and self.increment.strategy is not Strategy.APPEND else "1 = 0"
        return (
            f"{kept} UNION ALL SELECT {', '.join(new)} FROM {batch} AS ff_new LEFT JOIN {target} AS ff_old ON {matched}"
        )

    # words

    def _sql(self, relation: Relation) -> str:
        return self.dialect.render(relation)

    def _names(self, names: Iterable[str]) -> str:
        return ", ".join(self.dialect.quote(name) for name in names)

    def _batch_columns(self) -> str:
        return ", ".join(
            f"{self.dialect.quote(other)} AS {self.dialect.quote(name)}" for name, other in self.fit.shared.items()
        )

    def _in_batch(self, name: str) -> str:
        found = [other for mine, other in self.fit.shared.items() if mine.casefold() == name.casefold()]
        return found[0] if found else name

    def _retyped(self, name: str, other: str) -> str:
        schema = self.session.schema_of(self.batch)
        assert schema is not None
        type_ = self.dialect.type_name(schema.field(other).type)
        return self.dialect.cast(f"ff_old.{self.dialect.quote(name)}", type_)

    @property
    def _is_replaced(self) -> str:
        return self._is_replaced_of(None)

    def _stays_of(self, table: str) -> str:
        """The condition under which a row of the table stays; never unknown."""
        if self.increment.window is None:
            return f"NOT ({self._is_replaced_of(table)})"
        return outside(self.dialect, f"{table}.{self._time[0]}", self.increment.window, self._time[1])

    @functools.cached_property
    def _time(self) -> tuple[str, TimeKind]:
        """The table's column of times, quoted, and what it holds."""
        shape = shape_of(self.session, self.dialect, self.target, self.node)
        name, kind = time_column(shape, self.increment, self.node, "the table")
        return self.dialect.quote(name), kind

    def _is_replaced_of(self, table: str | None) -> str:
        """The condition under which new rows take the place of a row of the table."""
        if self.increment.window is not None:
            column, kind = self._time
            return within(self.dialect, f"{table}.{column}" if table else column, self.increment.window, kind)
        inner, tests = [], []
        loose = self.increment.strategy is Strategy.OVERWRITE
        for number, name in enumerate(self.increment.partition if loose else self.increment.key):
            column, alias = self.dialect.quote(name), self.dialect.quote(f"ff_k{number}")
            outer = f"{table}.{column}" if table else column
            inner.append(f"{self.dialect.quote(self._in_batch(name))} AS {alias}")
            equal = f"ff_batch.{alias} = {outer}"
            tests.append(f"({equal} OR (ff_batch.{alias} IS NULL AND {outer} IS NULL))" if loose else equal)
        if not tests:
            return "1 = 1"
        rows = f"SELECT DISTINCT {', '.join(inner)} FROM {self._sql(self.batch)}"
        return f"EXISTS (SELECT 1 FROM ({rows}) AS ff_batch WHERE {' AND '.join(tests)})"


def time_column(shape: Shape, increment: Increment, node: str, what: str) -> tuple[str, TimeKind]:
    """The column of times in *what*, as it is called there.

    Raises
    ------
    ModelExecutionError
        When there is none, or it holds something else.
    """
    assert increment.event_time is not None
    name = shape.find(increment.event_time)
    if name is None:
        raise ModelExecutionError(
            f"{what} has no column {increment.event_time!r}, so nobody knows to which window its rows belong",
            node=node,
            code="FF2040",
            help=f"it has {', '.join(shape.types) or 'none'}: select the column, or correct event_time",
        )
    kind = time_kind(shape.types[name])
    if kind is None:
        raise ModelExecutionError(
            f"the column {name!r} of {what} holds {shape.types[name]}, and event_time has to be a date or a timestamp",
            node=node,
            code="FF2040",
            help=f"cast it: cast({name} as timestamp) as {name}",
        )
    return name, kind


def refuse_outside(session: Session, dialect: Dialect, batch: Relation, increment: Increment, node: str) -> None:
    """Look whether all staged rows belong to their window: others would be doubled, or take nothing's place.

    Raises
    ------
    ModelExecutionError
        When one does not, with an example.
    """
    if increment.window is None:
        return
    name, kind = time_column(shape_of(session, dialect, batch, node), increment, node, "the model")
    column = dialect.quote(name)
    condition = outside(dialect, column, increment.window, kind)
    table = dialect.render(batch)
    found = _number(session, f"SELECT COUNT(*) AS n FROM {table} WHERE {condition}")
    if not found:
        return
    sql = f"SELECT {column} AS ff_time FROM {table} WHERE {condition} LIMIT 1"
    example = session.query(sql).read_all().column(0)[0].as_py()
    raise ModelExecutionError(
        f"{found} of the rows made for the window {increment.window} do not belong to it: {name} is "
        f"{'NULL' if example is None else example}",
        node=node,
        code="FF2039",
        help="give the inputs an event_time, so that only rows of the window are read, or compare with "
        "batch.event_time_start and batch.event_time_end",
    )


def refuse_bad_keys(session: Session, dialect: Dialect, batch: Relation, increment: Increment, node: str) -> None:
    """Look at the keys of staged rows.

    Raises
    ------
    ModelExecutionError
        When one is NULL or doubled, or a watermark without which nobody knows whether an appended row is new.
    """
    table = dialect.render(batch)
    keyed = increment.strategy in (Strategy.MERGE, Strategy.DELETE_INSERT)
    needed = increment.key if keyed else increment.watermark if increment.strategy is Strategy.APPEND else ()
    for name in needed:
        found = _number(session, f"SELECT COUNT(*) AS n FROM {table} WHERE {dialect.quote(name)} IS NULL")
        if found:
            what = "key" if keyed else "watermark"
            raise ModelExecutionError(
                f"{found} of the new rows have no {what}: {name!r} is NULL",
                node=node,
                code="FF2032",
                help=f"leave such rows out, or give {name!r} a value",
            )
    if keyed and increment.key:
        columns = ", ".join(dialect.quote(name) for name in increment.key)
        doubled = f"SELECT {columns}, COUNT(*) AS n FROM {table} GROUP BY {columns} HAVING COUNT(*) > 1"
        examples = session.query(f"SELECT * FROM ({doubled}) AS ff_doubled ORDER BY n DESC LIMIT 3").read_all()
        if examples.num_rows:
            shown = "; ".join(key_words(row, increment.key) for row in examples.to_pylist())
            raise ModelExecutionError(
                f"several of the new rows have one key: {shown}",
                node=node,
                code="FF2033",
                help="choose one row for each key, or a unique_key that tells them apart",
            )


def key_words(row: dict[str, object], key: Sequence[str]) -> str:
    """One of several doubled keys, for people: *row* has the values of *key*, and how many rows have them."""
    *values, count = row.values()
    named = ", ".join(f"{name}={value!r}" for name, value in zip(key, values, strict=True))
    return f"{named} ({count} rows)"


def _same_names(shared: dict[str, str]) -> bool:
    return all(mine == other for mine, other in shared.items())


def _number(session: Session, sql: str) -> int:
    return int(session.query(sql).read_all().column(0)[0].as_py())


def stage_new_rows(
    session: Session,
    dialect: Dialect,
    *,
    target: Relation,
    batch: Relation,
    spare: Relation,
    increment: Increment,
    write: NewRows | None,
    node: str,
    cast: Casting | None = None,
) -> None:
    """Write the new rows to the relation *batch*: those of the query, or those of *write* above the watermark.

    Parameters
    ----------
    cast:
        The casts of the query's rows.

    Raises
    ------
    ModelExecutionError
        When the table has no column for the watermark.
    """
    if increment.watermark:
        table = shape_of(session, dialect, target, node)
        for name in increment.watermark:
            if table.find(name) is None:
                raise ModelExecutionError(
                    f"the table has no column {name!r}, so nobody knows which rows are new",
                    node=node,
                    code="FF2031",
                    help="build it from nothing with --full-refresh",
                )
    if increment.select is not None:
        increment.begun()
        if cast is not None:
            cast.create(session, batch, increment.select, CreateKind.TABLE, TableOptions())
        else:
            session.create_as(batch, increment.select, CreateKind.TABLE, TableOptions())
        return
    assert write is not None
    if not increment.watermark:
        write(session, batch)
        return
    write(session, spare)
    strictly = increment.strategy is Strategy.APPEND
    condition = is_new(dialect, target, increment.watermark, strictly=strictly)
    session.create_as(batch, f"SELECT * FROM {dialect.render(spare)} WHERE {condition}", CreateKind.TABLE)
    session.drop(spare, RelationKind.TABLE)
