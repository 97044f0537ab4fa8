"""How rows become versions: what is new is found, the versions that it ends are closed, and it is added.

All of it is SQL that every engine understands, over whole tables and by names. Nothing here knows of transactions,
``_ff_meta`` or the order of the protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from flowforge.contract import CreateKind, Dialect, LoadMode, Session, TableOptions
from flowforge.errors import ModelExecutionError
from flowforge.frozen import frozen
from flowforge.materialize.columns import Fit, Shape, shape_of
from flowforge.materialize.history import (
    HASH,
    IS_CURRENT,
    IS_DELETED,
    OWN,
    UPDATED_AT,
    VALID_FROM,
    VALID_TO,
    Deletes,
    History,
    Past,
    fitted,
    refuse_bad_rows,
    refuse_several_current,
)
from flowforge.materialize.widening import widens
from flowforge.values import Relation, RelationKind

if TYPE_CHECKING:
    import pyarrow as pa

_FROM, _LAST, _HERE, _OPEN = "ff__from", "ff__last", "ff__here", "ff__open"


@frozen
class Spares:
    """Names of relations of one run's own: the query's rows, those of them that are new, and what becomes of them."""

    batch: Relation
    changed: Relation
    versions: Relation

    def drop(self, session: Session) -> None:
        """Remove them."""
        for relation in (self.batch, self.changed, self.versions):
            session.drop(relation, RelationKind.TABLE)


@frozen
class Words:
    """The SQL words of one history. Pure.

    Parameters
    ----------
    time:
        The type of its times.
    """

    dialect: Dialect
    history: History
    time: pa.DataType
    node: str

    def q(self, name: str, table: str = "") -> str:
        """A column."""
        return f"{table}.{self.dialect.quote(name)}" if table else self.dialect.quote(name)

    def of(self, relation: Relation) -> str:
        """A relation."""
        return self.dialect.render(relation)

    def yes(self, value: bool = True) -> str:
        """True or false."""
        return self.dialect.literal(value)

    @property
    def knows_the_time(self) -> bool:
        """Whether the times of this history are points in time, or days, rather than counters."""
        import pyarrow as pa

        return any(test(self.time) for test in (pa.types.is_timestamp, pa.types.is_date, pa.types.is_null))

    @property
    def now(self) -> str:
        """The time of the run; its day, in a history of days."""
        import pyarrow as pa

        if pa.types.is_date(self.time):
            return self.dialect.literal(self.history.moment.date())
        aware = getattr(self.time, "tz", None) is not None
        return self.dialect.literal(self.history.moment if aware else self.history.moment.replace(tzinfo=None))

    def later(self, one: str, other: str) -> str:
        """The later of two times; *other* when *one* is NULL."""
        return f"CASE WHEN {one} > {other} THEN {one} ELSE {other} END"

    def same_key(self, one: str, other: str) -> str:
        """The condition that two rows have one key."""
        return " AND ".join(f"{self.q(name, one)} = {self.q(name, other)}" for name in self.history.key)

    def hash_of(self, table: str, moment: str) -> str | None:
        """The hash that names a version, where the engine has hashes."""
        return self.dialect.text_hash([*(self.q(name, table) for name in self.history.key), moment])

    def updated(self, table: str, found: pa.DataType) -> str:
        """When a row of the query was updated, as the history keeps it.

        Raises
        ------
        ModelExecutionError
            When it cannot keep times of the type *found*.
        """
        import pyarrow as pa

        assert self.history.updated_at is not None
        column = self.q(self.history.updated_at, table)
        if widens(found, self.time) or pa.types.is_null(self.time):
            return column
        if pa.types.is_timestamp(self.time) and (pa.types.is_timestamp(found) or pa.types.is_date(found)):
            return self.dialect.cast(column, self.dialect.type_name(self.time))
        raise ModelExecutionError(
            f"the times of the history are {self.time}, and {self.history.updated_at!r} is {found}",
            node=self.node,
            code="FF2035",
            help=f"cast {self.history.updated_at!r} in the query, or keep the new times in a history of another name",
        )

    def refuse_times_that_are_none(self) -> None:
        """Say that the time of a run cannot be kept.

        Raises
        ------
        ModelExecutionError
            When it would have to be.
        """
        if self.knows_the_time or (self.history.updated_at is not None and self.history.deletes is Deletes.IGNORE):
            return
        why = "hard_deletes" if self.history.updated_at is not None else "strategy='check'"
        raise ModelExecutionError(
            f"{why} notes the time of the run, and the times of the history are {self.time}",
            node=self.node,
            code="FF2035",
            help=f"cast {self.history.updated_at!r} to a timestamp in the query"
            if self.history.updated_at is not None
            else "keep it in a history of another name, or stay with strategy='timestamp'",
        )


def first_versions(
    session: Session,
    dialect: Dialect,
    spares: Spares,
    history: History,
    node: str,
    staged: Relation,
    options: TableOptions,
) -> int | None:
    """Write a new history: each row of ``spares.batch`` is the first version of its key.

    Returns
    -------
    int | None
        The number of rows, if known.

    Raises
    ------
    ModelExecutionError
        When there are rows that can be no version.
    """
    import pyarrow as pa

    shape = shape_of(session, dialect, spares.batch, node)
    refuse_bad_rows(session, dialect, spares.batch, shape, history, node)
    time, name = pa.timestamp("us"), None
    if history.updated_at is not None:
        name = shape.find(history.updated_at)
        assert name is not None
        time = shape.types[name]
    words = Words(dialect, history, time, node)
    words.refuse_times_that_are_none()
    # One row of values whose types are sure: an expression has none on some engines.
    plain = {
        "moment": pa.array([history.moment.replace(tzinfo=None)], pa.timestamp("us")),
        "never": pa.nulls(1, pa.timestamp("us")),
        "yes": pa.array([True]),
        "no": pa.array([False]),
        "none": pa.nulls(1, pa.string()),
    }
    frame = pa.table({f"ff__{key}": value for key, value in plain.items()})
    session.load(spares.changed, frame.to_reader(), LoadMode.CREATE)
    given = {key: words.q(f"ff__{key}", "ff_given") for key in plain}
    began = given["moment"] if name is None else words.q(name, "ff_new")
    values = {
        **{column: words.q(column, "ff_new") for column in shape.types},
        UPDATED_AT: began,
        VALID_FROM: began,
        VALID_TO: given["never"] if name is None else words.q(name, "ff_none"),
        IS_CURRENT: given["yes"],
        HASH: words.hash_of("ff_new", began) or given["none"],
    }
    if history.deletes is Deletes.NEW_RECORD:
        values[IS_DELETED] = given["no"]
    columns = ", ".join(f"{value} AS {words.q(column)}" for column, value in values.items())
    rows = words.of(spares.batch)
    select = (
        f"SELECT {columns} FROM {rows} AS ff_new CROSS JOIN {words.of(spares.changed)} AS ff_given"
        f" LEFT JOIN (SELECT * FROM {rows} WHERE 1 = 0) AS ff_none ON 1 = 0"
    )
    written = session.create_as(staged, select, CreateKind.TABLE, options).rows
    spares.drop(session)
    return written


@frozen
class Versions:
    """The versions that a history ends and gets, staged, and the history itself. One thread.

    Parameters
    ----------
    count:
        How many keys are touched.
    opened:
        How many versions are new.
    """

    session: Session
    words: Words
    target: Relation
    spares: Spares
    past: Past
    new: Shape
    fit: Fit
    count: int = 0
    opened: int = 0

    @classmethod
    def of(
        cls,
        session: Session,
        dialect: Dialect,
        target: Relation,
        past: Past,
        spares: Spares,
        history: History,
        node: str,
    ) -> Versions:
        """Compare the rows that are staged in ``spares.batch`` with the history *past*.

        Raises
        ------
        ModelExecutionError
            When they cannot be versions of this history.
        """
        new = shape_of(session, dialect, spares.batch, node)
        refuse_bad_rows(session, dialect, spares.batch, new, history, node)
        for name in history.key:
            if past.rows.find(name) is None:
                raise ModelExecutionError(
                    f"the history has no column {name!r}, which 'unique_key' names",
                    node=node,
                    code="FF2035",
                    help="correct 'unique_key', or keep the new key in a history of another name",
                )
        time = past.time
        if history.updated_at is not None:
            found = new.types[new.find(history.updated_at) or history.updated_at]
            time = found if str(time) == "null" else time  # a column without a type, on an engine that has such
        words = Words(dialect, history, time, node)
        words.refuse_times_that_are_none()
        refuse_several_current(session, dialect, target, history, node)
        if history.updated_at is not None:
            words.updated("ff_new", found)
        made = cls(session, words, target, spares, past, new, fitted(past, new, node))
        session.create_as(spares.changed, made._changed(), CreateKind.TABLE)
        session.create_as(spares.versions, made._versions(), CreateKind.TABLE)
        table = words.of(spares.versions)
        is_open = dialect.count_if(f"{words.q(_OPEN)} = {words.yes()}")
        found = session.query(f"SELECT COUNT(*) AS n, {is_open} AS opened FROM {table}").read_all()
        return attrs.evolve(made, count=int(found.column(0)[0].as_py()), opened=int(found.column(1)[0].as_py()))

    # looking

    @property
    def is_nothing(self) -> bool:
        """Whether the history would be the same afterwards."""
        return not self.count and self.can_write

    @property
    def can_write(self) -> bool:
        """Whether :meth:`write` does it, because the history keeps its columns."""
        marks = self.words.history.deletes is Deletes.NEW_RECORD and IS_DELETED not in self.past
        return not (self.fit.changes_the_table or marks)

    def _changed(self) -> str:
        """The query of the rows that no current version is equal to."""
        words = self.words
        old = words.of(self.target)
        conditions = [self._is_current("ff_old"), words.same_key("ff_new", "ff_old"), *self._is_same()]
        return (
            f"SELECT ff_new.* FROM {words.of(self.spares.batch)} AS ff_new WHERE NOT EXISTS"
            f" (SELECT 1 FROM {old} AS ff_old WHERE {' AND '.join(conditions)})"
        )

    def _is_same(self) -> list[str]:
        """The conditions under which a row of the query is no new version."""
        words, history = self.words, self.words.history
        if history.updated_at is not None:
            mine = words.q(history.updated_at, "ff_new")
            standing = self.past.rows.find(history.updated_at)
            known = words.q(UPDATED_AT, "ff_old")
            if standing is not None:
                known = f"COALESCE({words.q(standing, 'ff_old')}, {known})"
            return [f"{mine} <= {known}"]
        keys = {name.casefold() for name in history.key}
        checked = history.checked or [name for name in self.new.types if name.casefold() not in keys]
        conditions = []
        for name in checked:
            standing = self.past.rows.find(name)
            other = words.q(standing, "ff_old") if standing is not None else "NULL"
            mine = words.q(self._in_batch(name), "ff_new")
            conditions.append(f"{mine} IS NULL" if other == "NULL" else words.dialect.same(mine, other))
        return conditions

    def _is_current(self, table: str) -> str:
        """The condition that a version holds: it is not closed, and says nothing of a row that is gone."""
        words = self.words
        holds = f"{words.q(IS_CURRENT, table)} = {words.yes()}"
        if IS_DELETED in self.past:
            deleted = words.q(IS_DELETED, table)
            holds += f" AND ({deleted} IS NULL OR {deleted} = {words.yes(False)})"
        return holds

    def _versions(self) -> str:
        """The query of one row for each key that is touched: its new version, or where its last one ends."""
        words = self.words
        began = words.q(_FROM, "ff_new")
        own = {
            UPDATED_AT: self._updated(),
            VALID_FROM: began,
            VALID_TO: words.q(VALID_TO, "ff_none"),
            IS_CURRENT: words.yes(),
            HASH: words.hash_of("ff_new", began) or words.q(HASH, "ff_none"),
            IS_DELETED: words.yes(False),
            _OPEN: words.yes(),
        }
        missing = {name: words.q(name, "ff_none") for name in self.fit.missing}
        new = {name: words.q(self.fit.shared.get(name, name), "ff_new") for name in self.fit.order} | missing
        nothing = f"(SELECT * FROM {words.of(self.target)} WHERE 1 = 0) AS ff_none ON 1 = 0"
        query = f"SELECT {self._listed({**new, **own})} FROM {self._dated()} AS ff_new LEFT JOIN {nothing}"
        if words.history.deletes is Deletes.IGNORE:
            return query
        marks = words.history.deletes is Deletes.NEW_RECORD
        own.update({UPDATED_AT: began, IS_DELETED: words.yes(), _OPEN: words.yes(marks)})
        old = {name: words.q(name, "ff_new") for name in self.fit.order} | dict.fromkeys(self.fit.added, "NULL")
        gone = f"SELECT {self._listed({**old, **own})} FROM {self._gone()} AS ff_new LEFT JOIN {nothing}"
        return f"{query} UNION ALL {gone}"

    def _updated(self) -> str:
        words = self.words
        if words.history.updated_at is None:
            return words.q(_FROM, "ff_new")
        return words.updated("ff_new", self.new.types[self._in_batch(words.history.updated_at)])

    def _dated(self) -> str:
        """The new rows with the time from which they hold; versions of one key never overlap."""
        words, changed = self.words, self.words.of(self.spares.changed)
        old, last, here = words.of(self.target), words.q(_LAST, "ff_past"), words.q(_HERE, "ff_past")
        began, ended = words.q(VALID_FROM, "ff_old"), words.q(VALID_TO, "ff_old")
        keys = ", ".join(words.q(name, "ff_old") for name in words.history.key)
        named = ", ".join(f"{words.q(name, 'ff_old')} AS {words.q(name)}" for name in words.history.key)
        past = (
            f"(SELECT {named}, MAX({words.later(ended, began)}) AS {words.q(_LAST)},"
            f" MAX(CASE WHEN {self._is_current('ff_old')} THEN 1 ELSE 0 END) AS {words.q(_HERE)}"
            f" FROM {old} AS ff_old WHERE EXISTS (SELECT 1 FROM {changed} AS ff_key"
            f" WHERE {words.same_key('ff_key', 'ff_old')}) GROUP BY {keys})"
        )
        if words.history.updated_at is None:
            moment = words.later(last, words.now)
        else:
            mine = words.updated("ff_row", self.new.types[self._in_batch(words.history.updated_at)])
            came_back = f" WHEN {here} = 0 AND {words.now} > {last} THEN {words.now}" if words.knows_the_time else ""
            moment = f"CASE WHEN {last} IS NULL OR {mine} >= {last} THEN {mine}{came_back} ELSE {last} END"
        return (
            f"(SELECT ff_row.*, {moment} AS {words.q(_FROM)} FROM {changed} AS ff_row"
            f" LEFT JOIN {past} AS ff_past ON {words.same_key('ff_row', 'ff_past')})"
        )

    def _gone(self) -> str:
        """The current versions of keys that the query no longer has, with the time at which they end."""
        words = self.words
        known = " AND ".join(f"{words.q(name, 'ff_old')} IS NOT NULL" for name in words.history.key)
        return (
            f"(SELECT ff_old.*, {words.later(words.q(VALID_FROM, 'ff_old'), words.now)} AS {words.q(_FROM)}"
            f" FROM {words.of(self.target)} AS ff_old WHERE {self._is_current('ff_old')} AND {known} AND NOT EXISTS"
            f" (SELECT 1 FROM {words.of(self.spares.batch)} AS ff_key WHERE {words.same_key('ff_key', 'ff_old')}))"
        )

    # writing

    def write(self, clone: Relation | None = None) -> None:
        """Change the history in place, only inside of a transaction; or a *clone* of it, which nobody reads yet."""
        if clone is not None:
            attrs.evolve(self, target=clone).write()
            return
        words, columns = self.words, [*self.fit.order, *self.past.own]
        old, versions = words.of(self.target), words.of(self.spares.versions)
        current = f"{words.q(IS_CURRENT)} = {words.yes()}"
        ends = {VALID_TO: words.q(VALID_FROM, "ff_version"), IS_CURRENT: words.yes(False)}
        closed = {name: ends.get(name, words.q(name, "ff_old")) for name in columns}
        self.session.insert(
            self.target,
            f"SELECT {self._listed(closed)} FROM {old} AS ff_old JOIN {versions} AS ff_version"
            f" ON {words.same_key('ff_version', 'ff_old')} WHERE {words.q(IS_CURRENT, 'ff_old')} = {words.yes()}",
            columns,
        )
        inner = ", ".join(f"{words.q(name)} AS {words.q(f'ff_k{at}')}" for at, name in enumerate(words.history.key))
        equal = " AND ".join(
            f"ff_version.{words.q(f'ff_k{at}')} = {words.q(name)}" for at, name in enumerate(words.history.key)
        )
        self.session.execute(
            f"DELETE FROM {old} WHERE {current} AND EXISTS"
            f" (SELECT 1 FROM (SELECT {inner} FROM {versions}) AS ff_version WHERE {equal})"
        )
        self.session.insert(self.target, self._opened(columns), columns)

    def rewritten(self) -> str:
        """The query of all versions that the history is to have, under the columns that it is to have."""
        words = self.words
        table, versions = words.of(self.target), words.of(self.spares.versions)
        marked = IS_DELETED in self.past or words.history.deletes is Deletes.NEW_RECORD
        columns = [*self.fit.order, *OWN, *([IS_DELETED] if marked else [])]
        untouched = f"{words.q(words.history.key[0], 'ff_version')} IS NULL"
        ended, current = words.q(VALID_TO, "ff_old"), words.q(IS_CURRENT, "ff_old")
        old = {name: words.q(name, "ff_old") for name in columns}
        for name in self.fit.retyped:
            wider = self.new.types[self.fit.shared[name]]
            old[name] = words.dialect.cast(old[name], words.dialect.type_name(wider))
        old.update({name: words.q(name, "ff_none") for name in self.fit.added})
        old[VALID_TO] = f"CASE WHEN {untouched} THEN {ended} ELSE {words.q(VALID_FROM, 'ff_version')} END"
        old[IS_CURRENT] = f"CASE WHEN {untouched} THEN {current} ELSE {words.yes(False)} END"
        if marked and IS_DELETED not in self.past:
            old[IS_DELETED] = words.yes(False)
        return (
            f"SELECT {self._listed(old)} FROM {table} AS ff_old LEFT JOIN {versions} AS ff_version"
            f" ON {words.same_key('ff_version', 'ff_old')} AND {current} = {words.yes()}"
            f" LEFT JOIN (SELECT * FROM {versions} WHERE 1 = 0) AS ff_none ON 1 = 0"
            f" UNION ALL {self._opened(columns)}"
        )

    def _opened(self, columns: Sequence[str]) -> str:
        words = self.words
        listed = self._listed({name: words.q(name, "ff_version") for name in columns})
        is_open = f"{words.q(_OPEN, 'ff_version')} = {words.yes()}"
        return f"SELECT {listed} FROM {words.of(self.spares.versions)} AS ff_version WHERE {is_open}"

    # words

    def _in_batch(self, name: str) -> str:
        found = self.new.find(name)
        assert found is not None
        return found

    def _listed(self, values: dict[str, str]) -> str:
        return ", ".join(f"{value} AS {self.words.q(name)}" for name, value in values.items())
