"""One connection to an engine: the primitives out of which everything is made."""

from __future__ import annotations

import contextlib
import enum
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from flowforge.contract.dialect import Dialect
from flowforge.contract.files import FileSource
from flowforge.contract.options import TableOptions
from flowforge.errors import UnsupportedError
from flowforge.frozen import frozen
from flowforge.values import Namespace, Relation, RelationInfo, RelationKind

if TYPE_CHECKING:
    import pyarrow as pa


@frozen
class Stats:
    """What a statement did, as far as the engine tells. *rows* is a count, *bytes_scanned* is in bytes."""

    rows: int | None = None
    bytes_scanned: int | None = None


class CreateKind(enum.Enum):
    """What ``Session.create_as`` creates."""

    TABLE = "table"
    VIEW = "view"
    TEMP = "temp"
    MATERIALIZED_VIEW = "materialized_view"


class LoadMode(enum.Enum):
    """Whether ``Session.load`` makes the table or adds rows to one that exists."""

    CREATE = "create"
    APPEND = "append"


def _equal(dialect: Dialect, key: Mapping[str, Any]) -> str:
    return " AND ".join(f"{dialect.quote(name)} = {dialect.literal(value)}" for name, value in key.items())


class Session(ABC):
    """One connection, used by one thread at a time; primitives only.

    Every method may raise the driver's own exceptions: the core turns them into :class:`EngineError` by
    ``Executor.error``. A session that knows more (such as the statement that failed) raises an :class:`EngineError`
    itself. All names arrive as :class:`Relation` and are rendered by the engine's dialect.
    """

    carries_indexes: ClassVar[bool] = True
    """Whether :meth:`replace` brings the indexes of the staged table along. Otherwise they are made when it stands."""

    # statements

    @abstractmethod
    def execute(self, sql: str) -> Stats:
        """Run one statement and forget its rows."""

    @abstractmethod
    def query(self, sql: str) -> pa.RecordBatchReader:
        """Run one query and stream its rows. The reader must be read or closed before the next statement."""

    def estimate(self, sql: str) -> int | None:
        """How many bytes a statement would read, without running it; ``None``: not this one. Needs ``ESTIMATE``."""
        raise UnsupportedError("this engine does not tell what a statement costs before it runs")

    # writing

    @abstractmethod
    def load(
        self, relation: Relation, reader: pa.RecordBatchReader, mode: LoadMode, options: TableOptions = TableOptions()
    ) -> int:
        """Write Arrow rows by the engine's bulk path and return how many; columns are matched by name.

        *options* are those of the table that is made, as in :meth:`create_as`.
        """

    @abstractmethod
    def create_as(
        self, relation: Relation, select: str, kind: CreateKind, options: TableOptions = TableOptions()
    ) -> Stats:
        """Create a relation from a query. It is an error when the name is taken.

        A temporary table has no schema in its name; it belongs to this session, and no other sees it. A materialized
        view needs ``MATERIALIZED_VIEWS``, and holds its rows when this is over.

        Raises
        ------
        UnsupportedError
            For an option that relations of this kind cannot have; the engine's ``table_options`` say the same.
        """

    def apply_options(self, relation: Relation, options: TableOptions) -> None:
        """Give a relation that stands the indexes, the rights and the comment of *options*.

        Indexes are called as :meth:`Index.name_on` says. One that stands stays; those that
        :func:`~flowforge.contract.is_our_index` knows and that are not asked for any more go, and nobody else's do.
        Of each privilege that *options* name, exactly these roles have it afterwards. Calling it twice is calling it
        once; part of a transaction, where the engine has them.

        Raises
        ------
        UnsupportedError
            For an option that cannot be had, or not by a relation that stands.
        """
        for name in options.named:
            raise UnsupportedError(f"this engine has no {name}", help=f"remove {name}, or limit it to other engines")

    @abstractmethod
    def insert(self, relation: Relation, select: str, columns: Sequence[str]) -> Stats:
        """Append the rows of *select*, whose columns are called *columns*, by name."""

    def merge(self, relation: Relation, staged: Relation, key: Sequence[str], columns: Sequence[str]) -> Stats:
        """Update the rows of *relation* that match *staged* on *key*, insert the others; needs ``MERGE``."""
        raise UnsupportedError("this engine has no MERGE")

    def clone(self, source: Relation, target: Relation, options: TableOptions = TableOptions()) -> None:
        """Make the table *target* as a copy of the table *source* that shares its rows; needs ``ZERO_COPY_CLONE``.

        No rows are read or written for it. The copy has the columns of *source* in their order, and is laid out as it
        is, so that :meth:`replace` can put it in the place of *source* in one step. Rights are not copied. From then on
        neither sees what is done to the other, not even when that one is dropped. It is an error when the name is taken,
        or when there is no such table.

        *options* are those of the table, as in :meth:`create_as`.

        Raises
        ------
        UnsupportedError
            When this table cannot be copied so, or cannot become what *options* say unless its rows are written.
            Nothing was made then, and the core writes the rows.
        """
        raise UnsupportedError("this engine copies the rows of a table")

    # FlowForge's own small tables of notes and leases; for an engine whose tables take no such statements to override

    def create_table(self, dialect: Dialect, relation: Relation, columns: Mapping[str, str]) -> None:
        """Create a table without rows, unless it stands; *columns* are the engine's types by name."""
        listed = ", ".join(f"{dialect.quote(name)} {kind}" for name, kind in columns.items())
        self.execute(f"CREATE TABLE IF NOT EXISTS {dialect.render(relation)} ({listed})")

    def add_rows(
        self, dialect: Dialect, relation: Relation, columns: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        """Append rows of such a table in one step."""
        names = ", ".join(dialect.quote(name) for name in columns)
        lines = ", ".join("(" + ", ".join(dialect.literal(value) for value in row) + ")" for row in rows)
        self.execute(f"INSERT INTO {dialect.render(relation)} ({names}) VALUES {lines}")

    def find_rows(
        self, dialect: Dialect, relation: Relation, columns: Sequence[str], key: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        """The rows of such a table that have these values."""
        names = ", ".join(dialect.quote(name) for name in columns)
        return self.fetch(f"SELECT {names} FROM {dialect.render(relation)} WHERE {_equal(dialect, key)}")

    def exchange_rows(
        self,
        dialect: Dialect,
        relation: Relation,
        columns: Sequence[str],
        row: Sequence[Any],
        key: Mapping[str, Any],
    ) -> None:
        """Let *row* take the place of all rows of such a table that have the values of *key*. Inside a transaction."""
        self.delete_rows(dialect, relation, _equal(dialect, key))
        self.add_rows(dialect, relation, columns, [row])

    def update_rows(self, dialect: Dialect, relation: Relation, changes: Mapping[str, Any], where: str) -> None:
        """Give columns of the rows that fit *where* other values, in one step: of two that do so at once, the second
        sees what the first one did."""
        sets = ", ".join(f"{dialect.quote(name)} = {dialect.literal(value)}" for name, value in changes.items())
        self.execute(f"UPDATE {dialect.render(relation)} SET {sets} WHERE {where}")

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query that gives few, as values of Python."""
        return list(zip(*(column.to_pylist() for column in self.query(sql).read_all().columns), strict=True))

    def delete_rows(self, dialect: Dialect, relation: Relation, where: str) -> None:
        """Remove the rows that fit *where*, in one step."""
        self.execute(f"DELETE FROM {dialect.render(relation)} WHERE {where}")

    @abstractmethod
    def drop(self, relation: Relation, kind: RelationKind) -> None:
        """Remove a relation; quiet when there is none of that kind."""

    @abstractmethod
    def replace(self, staged: Relation, target: Relation) -> None:
        """Let the table *staged* take the place of *target*, whatever stands there, if anything.

        *staged* is a materialized view as well, where the engine has those. Inside :meth:`transaction` it becomes visible with the commit. *staged* is gone afterwards. Views that read
        *target* go on working, and show the new rows.

        With ``ATOMIC_REPLACE`` it is one step outside of a transaction too: whoever is killed in the middle leaves what
        stood there or the new rows. That includes a view under *target*; an engine that needs two steps for a change
        of kind says so in the reason of a partial ``ATOMIC_REPLACE``. The note in ``_ff_meta`` says meanwhile that
        nobody knows what stands there, so that the next run repairs it.
        """

    def replace_view(self, target: Relation, select: str) -> Stats:
        """Let a view over *select* take the place of *target*, whatever stands there, if anything.

        Inside :meth:`transaction` it becomes visible with the commit. Relations that read *target* go on working. An
        engine without ``TRANSACTIONAL_DDL`` has to do it in one atomic statement where a view stands already. Error
        positions count in *select*.
        """
        standing = self.kind_of(target)
        if standing is not None:
            self.drop(target, standing)
        return self.create_as(target, select, CreateKind.VIEW)

    def ensure_schema(self, relation: Relation) -> None:
        """Create the schema that *relation* belongs to, when the engine has schemas and it is missing."""

    def comment(self, relation: Relation, text: str | None, columns: Mapping[str, str]) -> None:
        """Store descriptions in the database; needs ``COMMENTS``."""
        raise UnsupportedError("this engine keeps no comments")

    def comments(self, relation: Relation) -> tuple[str | None, Mapping[str, str]]:
        """What :meth:`comment` stored: the relation's text, and the texts of those columns that have one."""
        raise UnsupportedError("this engine keeps no comments")

    # looking

    @abstractmethod
    def schema_of(self, what: Relation | str) -> pa.Schema | None:
        """Column names and Arrow types of a relation, or of a query without running it; ``None``: no such relation."""

    def column_types(self, select: str) -> Mapping[str, str] | None:
        """Column names of a query, in order, with their types in the engine's own words; the query is not run.

        Such a word can stand in a ``CAST``, and it tells apart whatever the engine tells apart: the length of a text
        and the digits of a decimal. ``None``: the Arrow types of :meth:`schema_of` tell all.
        """
        return None

    def type_word(self, type_: str) -> str | None:
        """What :meth:`column_types` calls the column type that somebody wrote as *type_*; ``None`` as there.

        Raises
        ------
        Exception
            The driver's own, or an :class:`EngineError`, when the engine knows no such type.
        """
        found = self.column_types(f"SELECT CAST(NULL AS {type_}) AS ff__type")
        return next(iter(found.values())) if found else None

    @abstractmethod
    def relations(self, namespace: Namespace) -> Sequence[RelationInfo]:
        """All tables and views of one schema, sorted by name."""

    def kind_of(self, relation: Relation) -> RelationKind | None:
        """What stands under a name, or ``None``."""
        namespace = Namespace(relation.schema, relation.database)
        for info in self.relations(namespace):
            if info.relation.name == relation.name:
                return info.kind
        return None

    def layout(self, relation: Relation) -> str | None:
        """The columns of a relation in order, with their types, in the engine's own words; ``None``: no such relation.

        Two layouts are compared as texts, so the text must not change unless the columns do.
        """
        schema = self.schema_of(relation)
        return None if schema is None else ", ".join(f"{field.name} {field.type}" for field in schema)

    def layouts(self, namespace: Namespace) -> Mapping[str, str]:
        """The :meth:`layout` of every table and view of one schema, by name as the catalogue writes it."""
        found = {}
        for info in self.relations(namespace):
            text = self.layout(info.relation)
            if text is not None:
                found[info.relation.name] = text
        return found

    def content_hash(self, relation: Relation) -> str | None:
        """A token for the rows of a relation and its layout, whatever the order of the rows; needs ``CONTENT_HASH``.

        Two relations with one token hold the same rows, to the last bit of every value (``1.0`` and ``1.00`` are two
        values, and so are doubled rows); equal relations have one token. It costs one scan. ``None``: not this one,
        because a column's type has no exact text or hash.
        """
        raise UnsupportedError("this engine has no hash of rows")

    def source_state(self, relation: Relation) -> str | None:
        """A token that changes whenever the data may have changed; ``None`` means unknown. Needs ``SOURCE_STATE``."""
        return None

    def source_files(self, files: FileSource) -> Sequence[str] | None:
        """The files on this machine, as whole paths in any order, of which ``Dialect.file_source`` would read the rows.

        Never fewer than are read. None fit: an empty answer. ``None``: they are elsewhere, or nobody can tell.
        """
        return None

    # frames

    def frame(self, relation: Relation, columns: Sequence[str] | None, kind: str, select: str) -> Any:
        """The rows of *select* (which reads *relation*) in the engine's own DataFrame type called *kind*.

        The core itself makes ``arrow`` and ``pandas`` frames out of :meth:`query`; this is called for others.
        """
        raise UnsupportedError(f"this engine has no {kind} frames")

    def load_frame(self, relation: Relation, frame: Any, options: TableOptions = TableOptions()) -> int | None:
        """Create a table from the engine's own DataFrame type; ``None`` when *frame* is not one of them."""
        return None

    # control

    @abstractmethod
    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """Commit at the end of the block, roll back when it raises. Locks taken inside end with it.

        Without ``TRANSACTIONAL_DDL`` an engine may offer what it has; the core does not rely on it. When the
        connection is lost while the commit is under way, an :class:`EngineError` of kind ``CONNECTION`` says so with
        ``committed=UNKNOWN``; lost before, nothing was committed.
        """

    def lock(self, name: str, *, timeout: float | None) -> None:
        """Take the lock called *name*, across all processes that write this database; needs ``LOCKS``.

        Called first thing inside :meth:`transaction`, so that what the last holder committed is seen. It is held
        until that transaction (or the session) ends. Taking it twice is taking it once. :meth:`cancel` ends the wait.

        Parameters
        ----------
        timeout:
            Seconds to wait; ``None`` waits for ever.

        Raises
        ------
        EngineError
            Of kind ``LOCKED``, naming the holder as far as it is known.
        """
        raise UnsupportedError("this engine has no locks")

    @abstractmethod
    def cancel(self) -> None:
        """Stop the statement that runs now. Callable from any thread; quiet when none runs."""

    @abstractmethod
    def close(self) -> None:
        """Give the connection back; quiet when called twice."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
