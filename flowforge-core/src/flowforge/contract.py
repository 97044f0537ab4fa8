"""What an engine, a check, a seed format, a renderer and a stream source *are*.

This is the whole surface that a plugin author has to know, together with :mod:`flowforge.errors`,
:mod:`flowforge.values` and ``flowforge.hookimpl``. It knows no project, no Jinja and no YAML. Declarations are frozen
and open nothing; the abstract classes hold primitives only: what to do with them (stage, audit, publish) is decided
once, in ``flowforge.materialize``.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import enum
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import attrs

from flowforge.errors import EngineError, UnsupportedError
from flowforge.values import Namespace, Relation, RelationInfo, RelationKind

if TYPE_CHECKING:
    import pyarrow as pa

API_VERSION = 1
"""Version of this contract. A plugin that needs a newer one is listed as failed, with that reason."""


# -- capabilities ---------------------------------------------------------------------------------------------------


class Capability(enum.Enum):
    """Something that an engine may or may not be able to do. The conformance suite tests every claim, both ways."""

    TRANSACTIONAL_DDL = "transactional_ddl"
    """CREATE, DROP and RENAME are part of a transaction, and a rollback undoes them."""
    ATOMIC_REPLACE = "atomic_replace"
    """``Session.replace`` is one atomic step even outside of a transaction."""
    MERGE = "merge"
    """``Session.merge`` updates and inserts by key in one step."""
    ZERO_COPY_CLONE = "zero_copy_clone"
    """A table can be cloned without copying its data."""
    CANCEL = "cancel"
    """``Session.cancel`` called from another thread stops the running statement on the engine."""
    TIMEOUT = "timeout"
    """A session's ``timeout`` stops a statement that takes longer."""
    LOCKS = "locks"
    """``Session.lock`` keeps runs apart that would write the same thing."""
    SOURCE_STATE = "source_state"
    """``Session.source_state`` gives a token that changes whenever a relation's data may have changed."""
    ESTIMATE = "estimate"
    """The engine can tell what a query will cost before it runs."""
    COMMENTS = "comments"
    """Comments on relations and columns are stored and can be read back."""
    VIEWS = "views"
    """Views can be created and replaced."""
    MATERIALIZED_VIEWS = "materialized_views"
    """The engine keeps materialized views."""
    SCHEMAS = "schemas"
    """Relations live in schemas that can be created."""
    PARALLEL_SESSIONS = "parallel_sessions"
    """Several sessions may work at the same time; without it a run uses one."""
    ERROR_POSITION = "error_position"
    """Errors in a statement tell their position in its text."""
    STRICT_CASTS = "strict_casts"
    """A cast of a text that is no number is an error, rather than NULL or 0."""
    NESTED_TYPES = "nested_types"
    """Arrow lists and structs survive a load and a query."""
    EXACT_DECIMALS = "exact_decimals"
    """Arrow decimals keep their scale and their digits."""
    TIME_ZONES = "time_zones"
    """Timestamps with a time zone are told apart from those without one."""


class SupportLevel(enum.Enum):
    """Four different words, because they mean four different things to a user."""

    FULL = "full"
    PARTIAL = "partial"
    NOT_IMPLEMENTED = "not implemented"
    UNSUPPORTED = "unsupported"


@attrs.frozen
class Support:
    """How far an engine has a capability; anything but full support says why."""

    level: SupportLevel
    reason: str = ""

    def __attrs_post_init__(self) -> None:
        if self.level is not SupportLevel.FULL and not self.reason:
            raise ValueError(f"{self.level.value} needs a reason")

    def __bool__(self) -> bool:
        return self.level in (SupportLevel.FULL, SupportLevel.PARTIAL)


FULL = Support(SupportLevel.FULL)


def partial(reason: str) -> Support:
    """Works, with the limit that *reason* names."""
    return Support(SupportLevel.PARTIAL, reason)


def not_implemented(reason: str) -> Support:
    """The product can do it, this plugin does not do it yet."""
    return Support(SupportLevel.NOT_IMPLEMENTED, reason)


def unsupported(reason: str) -> Support:
    """The product cannot do it."""
    return Support(SupportLevel.UNSUPPORTED, reason)


# -- settings -------------------------------------------------------------------------------------------------------


def setting(
    *,
    default: Any = attrs.NOTHING,
    factory: Callable[[], Any] | None = None,
    env: str | None = None,
    secret: bool = False,
    path: bool = False,
    aliases: tuple[str, ...] = (),
    validator: Callable[[Any, Any, Any], Any] | None = None,
    help: str = "",
) -> Any:
    """Declare one field of an engine's settings class (an ``attrs.frozen`` class with ``kw_only=True``).

    Parameters
    ----------
    default, factory:
        As in ``attrs.field``; without either the profile has to give the value.
    env:
        The ``FF_*`` variable that overrides the profile.
    secret:
        The value never appears in output, logs, errors or artifacts.
    path:
        A relative value is taken from the project folder and may not leave it.
    aliases:
        Other spellings that a profile may use.
    validator:
        As in ``attrs.field``; a ``ValueError`` from it is shown with the place in the profile.
    help:
        One sentence for ``flowforge debug`` and the docs.
    """
    metadata = {"env": env, "secret": secret, "path": path, "aliases": aliases, "help": help}
    shown: Any = _masked if secret else True
    if factory is not None:
        return attrs.field(factory=factory, validator=validator, metadata=metadata, repr=shown)
    return attrs.field(default=default, validator=validator, metadata=metadata, repr=shown)


def _masked(value: Any) -> str:
    return repr(value) if value is None else "'***'"


# -- text rules -----------------------------------------------------------------------------------------------------


class Dialect(ABC):
    """An engine's pure text rules; no database needed, safe from any thread.

    The defaults are standard SQL. Names are *folded to the engine's own case, then quoted*, so that
    ``select * from Users`` typed by hand finds what a model called ``Users`` built.
    """

    name: ClassVar[str]
    """The engine's name."""
    sqlglot: ClassVar[str | None] = None
    """The dialect's name in sqlglot, when it has one."""
    max_identifier_bytes: ClassVar[int | None] = None
    """Longer names are cut or refused by the engine, so they are refused at load."""
    functions: ClassVar[Mapping[str, str]] = {}
    """Templates of the portable ``ff_*`` SQL helpers, by name without the prefix."""

    def fold(self, name: str) -> str:
        """*name* in the case in which the engine stores it when it is typed without quotes."""
        return name

    def quote(self, name: str) -> str:
        """*name* as an identifier: folded, quoted, safe whatever it contains."""
        return '"' + self.fold(name).replace('"', '""') + '"'

    def render(self, relation: Relation) -> str:
        """*relation* as it stands in SQL."""
        parts = (relation.database, relation.schema, relation.name)
        return ".".join(self.quote(part) for part in parts if part)

    def literal(self, value: Any) -> str:
        """A Python value as a SQL literal: None, bool, int, float, Decimal, str, bytes, date, datetime.

        Raises
        ------
        TypeError
            For any other type, and for NaN and infinity.
        """
        if value is None:
            return "NULL"
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, int):
            return str(value)
        if isinstance(value, decimal.Decimal):
            if not value.is_finite():
                raise TypeError("NaN and infinity have no portable literal")
            return format(value, "f")
        if isinstance(value, float):
            if not math.isfinite(value):
                raise TypeError("NaN and infinity have no portable literal")
            return repr(value)
        if isinstance(value, str):
            return "'" + value.replace("'", "''") + "'"
        if isinstance(value, dt.datetime):
            kind = "TIMESTAMP WITH TIME ZONE" if value.tzinfo else "TIMESTAMP"
            return f"CAST('{value.isoformat(sep=' ')}' AS {kind})"
        if isinstance(value, dt.date):
            return f"CAST('{value.isoformat()}' AS DATE)"
        if isinstance(value, bytes):
            return f"X'{value.hex()}'"
        raise TypeError(f"no SQL literal for {type(value).__name__}")

    @abstractmethod
    def type_name(self, type_: pa.DataType) -> str:
        """The column type that holds an Arrow type exactly.

        Raises
        ------
        UnsupportedError
            When the engine has none.
        """

    def regex_match(self, expression: str, pattern: str) -> str:
        """A boolean expression: does the text *expression* contain a match of *pattern* (a Python string)?"""
        raise UnsupportedError(f"{self.name} has no regular expressions")

    def count_if(self, condition: str) -> str:
        """An aggregate: in how many rows is *condition* true? NULL counts as false."""
        return f"COALESCE(SUM(CASE WHEN {condition} THEN 1 ELSE 0 END), 0)"


# -- engines --------------------------------------------------------------------------------------------------------


@attrs.frozen
class Stats:
    """What a statement did, as far as the engine tells. *rows* is a count, *bytes_scanned* is in bytes."""

    rows: int | None = None
    bytes_scanned: int | None = None


@attrs.frozen
class TableOptions:
    """How a new relation should be laid out; an engine refuses what it cannot do, it never ignores it."""

    partition_by: tuple[str, ...] = ()
    cluster_by: tuple[str, ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    format: str | None = None
    location: str | None = None
    grants: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    comment: str | None = None


class CreateKind(enum.Enum):
    """What ``Session.create_as`` creates."""

    TABLE = "table"
    VIEW = "view"
    TEMP = "temp"


class LoadMode(enum.Enum):
    """Whether ``Session.load`` makes the table or adds rows to one that exists."""

    CREATE = "create"
    APPEND = "append"


class Session(ABC):
    """One connection, used by one thread at a time; primitives only.

    Every method may raise the driver's own exceptions: the core turns them into :class:`EngineError` by
    ``Executor.error``. A session that knows more (such as the statement that failed) raises an :class:`EngineError`
    itself. All names arrive as :class:`Relation` and are rendered by the engine's dialect.
    """

    # statements

    @abstractmethod
    def execute(self, sql: str) -> Stats:
        """Run one statement and forget its rows."""

    @abstractmethod
    def query(self, sql: str) -> pa.RecordBatchReader:
        """Run one query and stream its rows. The reader must be read or closed before the next statement."""

    # writing

    @abstractmethod
    def load(self, relation: Relation, reader: pa.RecordBatchReader, mode: LoadMode) -> int:
        """Write Arrow rows by the engine's bulk path and return how many; columns are matched by name."""

    @abstractmethod
    def create_as(
        self, relation: Relation, select: str, kind: CreateKind, options: TableOptions = TableOptions()
    ) -> Stats:
        """Create a relation from a query. It is an error when the name is taken."""

    @abstractmethod
    def insert(self, relation: Relation, select: str, columns: Sequence[str]) -> Stats:
        """Append the rows of *select*, whose columns are called *columns*, by name."""

    def merge(self, relation: Relation, staged: Relation, key: Sequence[str], columns: Sequence[str]) -> Stats:
        """Update the rows of *relation* that match *staged* on *key*, insert the others; needs ``MERGE``."""
        raise UnsupportedError("this engine has no MERGE")

    @abstractmethod
    def drop(self, relation: Relation, kind: RelationKind) -> None:
        """Remove a relation; quiet when there is none of that kind."""

    @abstractmethod
    def replace(self, staged: Relation, target: Relation) -> None:
        """Let the table *staged* take the place of *target*, whatever stands there, if anything.

        Inside :meth:`transaction` it becomes visible with the commit. *staged* is gone afterwards.
        """

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

    def source_state(self, relation: Relation) -> str | None:
        """A token that changes whenever the data may have changed; ``None`` means unknown."""
        return None

    # frames

    def frame(self, relation: Relation, columns: Sequence[str] | None, kind: str, select: str) -> Any:
        """The rows of *select* (which reads *relation*) in the engine's own DataFrame type called *kind*.

        The core itself makes ``arrow`` and ``pandas`` frames out of :meth:`query`; this is called for others.
        """
        raise UnsupportedError(f"this engine has no {kind} frames")

    def load_frame(self, relation: Relation, frame: Any) -> int | None:
        """Create a table from the engine's own DataFrame type; ``None`` when *frame* is not one of them."""
        return None

    # control

    @abstractmethod
    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """Commit at the end of the block, roll back when it raises. Locks taken inside end with it.

        Without ``TRANSACTIONAL_DDL`` an engine may offer what it has; the core does not rely on it.
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


class Executor(ABC):
    """One configured engine, shared by all threads of a run."""

    dialect: Dialect
    namespace: Namespace
    """The profile's default database and schema."""

    @abstractmethod
    def session(self, *, label: str, timeout: float | None = None) -> Session:
        """Open a connection.

        Parameters
        ----------
        label:
            What the database should show as the client's name: ``flowforge/<run id>/<node>``.
        timeout:
            Seconds that one statement may take.
        """

    @abstractmethod
    def close(self) -> None:
        """Release everything. Sessions are closed before."""

    @abstractmethod
    def error(self, exc: BaseException) -> EngineError | None:
        """The driver's exception in the contract's words; ``None`` when it is not the driver's."""

    def reap(self, run_ids: Iterable[str]) -> int:
        """Cancel what dead runs left working on the server, and return how many statements that were."""
        return 0


@attrs.frozen
class EngineSpec:
    """The declaration of an engine; made without importing its driver.

    Parameters
    ----------
    name, aliases:
        The words that a profile's ``engine:`` may use.
    settings:
        An ``attrs.frozen`` class made with :func:`setting` fields.
    load:
        Imports the driver and returns the function that makes an :class:`Executor` out of settings.
    capabilities:
        One entry for every :class:`Capability`; a missing one counts as not implemented.
    zero_config:
        True when the engine runs without any setting, and so may be taken when a project has no profile.
    frames:
        Kinds of DataFrame that Python models may ask for beyond ``arrow`` and ``pandas``.
    offline:
        Called with settings, gives the text rules and the name space that an executor would have, without a driver or
        a connection. Without it, ``compile`` and ``validate`` have to connect.
    abbreviation:
        A few letters for narrow output; the name itself when empty.
    testkit_settings:
        Settings that the conformance suite starts from, as text; ``{tmp}`` stands for a fresh folder of each test.
    """

    name: str
    summary: str
    settings: type
    load: Callable[[], Callable[[Any], Executor]]
    capabilities: Mapping[Capability, Support]
    aliases: tuple[str, ...] = ()
    zero_config: bool = False
    frames: tuple[str, ...] = ()
    offline: Callable[[Any], tuple[Dialect, Namespace]] | None = None
    abbreviation: str = ""
    testkit_settings: Mapping[str, str] = attrs.field(factory=dict)
    api: int = API_VERSION

    def support(self, capability: Capability) -> Support:
        """How far this engine has *capability*."""
        return self.capabilities.get(capability, not_implemented("the plugin does not mention it"))


# -- checks ---------------------------------------------------------------------------------------------------------

Severity = Literal["error", "warn", "info"]


@attrs.frozen
class CheckContext:
    """What a check sees when it writes its SQL.

    Parameters
    ----------
    relation:
        The relation under test (staged rows during a build), rendered.
    params:
        An instance of the check's parameter class.
    """

    dialect: Dialect
    relation: str
    params: Any

    def column(self, name: str) -> str:
        """A column's name, quoted for the engine."""
        return self.dialect.quote(name)

    def literal(self, value: Any) -> str:
        """A value as a literal of the engine."""
        return self.dialect.literal(value)


@attrs.frozen
class CheckSpec:
    """The declaration of a check: one of *violation*, *measure* (with *judge*) or *query*.

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
    query:
        A SELECT whose rows are the failures, for checks that need more than one row at a time.
    tally:
        A boolean row expression that is true once for each failure, where several rows make one (doubles of one
        value): it is what is counted then, while *violation* says which rows are shown.
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
    api: int = API_VERSION

    def __attrs_post_init__(self) -> None:
        ways = [way for way in (self.violation, self.measure, self.query) if way is not None]
        if len(ways) != 1:
            raise ValueError(f"check {self.name!r} must declare exactly one of violation, measure and query")
        if (self.measure is None) != (self.judge is None):
            raise ValueError(f"check {self.name!r}: measure and judge belong together")
        if self.tally is not None and self.violation is None:
            raise ValueError(f"check {self.name!r}: tally belongs to violation")


# -- seed formats, renderers, stream sources, macros ------------------------------------------------------------------


@attrs.frozen
class SeedFormat:
    """A file type that ``seeds/`` may hold.

    Parameters
    ----------
    suffixes:
        With the dot, lower case.
    read:
        Called with the path and the declared column types (name to Arrow type); returns a reader over exact rows.
        Raises :class:`~flowforge.errors.SeedError` with line and column for anything it cannot read exactly.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, Mapping[str, pa.DataType]], pa.RecordBatchReader]
    api: int = API_VERSION


@attrs.frozen
class DocRenderer:
    """A way to write a project's catalogue to files.

    Parameters
    ----------
    render:
        Called with the manifest and the output folder; returns the paths it wrote.
    """

    name: str
    summary: str
    render: Callable[[Any, Path], Sequence[Path]]
    api: int = API_VERSION


@attrs.frozen
class StreamBatch:
    """Rows of one poll and the offsets that follow them, by partition."""

    rows: pa.RecordBatch
    next_offsets: Mapping[str, str]


class StreamReader(ABC):
    """An open stream; one thread."""

    @abstractmethod
    def partitions(self) -> Sequence[str]:
        """The partitions that exist now."""

    @abstractmethod
    def poll(self, offsets: Mapping[str, str], *, max_rows: int, timeout: float) -> StreamBatch | None:
        """The next rows after *offsets*; ``None`` when none came within *timeout* seconds."""

    @abstractmethod
    def close(self) -> None:
        """Give the connection back."""


@attrs.frozen
class StreamSourceSpec:
    """The declaration of a kind of stream."""

    name: str
    summary: str
    settings: type
    load: Callable[[], Callable[[Any], StreamReader]]
    api: int = API_VERSION


@attrs.frozen
class Macro:
    """A function that templates may call; pure, called at render time."""

    name: str
    function: Callable[..., Any]
    api: int = API_VERSION


_WORD = re.compile(r"[^0-9A-Za-z_]+")


def staging_name(name: str, run_id: str, *, limit: int | None) -> str:
    """A name for one run's staging relation of *name* that fits into *limit* bytes.

    All of them start with ``ff__``, so that leftovers of dead runs can be found. The name's readable part is cut to
    fit; a digest of the whole name keeps two long names apart.
    """
    import hashlib

    digest = hashlib.blake2b(name.encode(), digest_size=5).hexdigest()
    tail = f"__{digest}__{_WORD.sub('', run_id)}"
    room = (limit or 120) - len("ff__") - len(tail)
    return f"ff__{_WORD.sub('_', name)[: max(room, 0)]}{tail}".lower()


@contextlib.contextmanager
def no_transaction() -> Iterator[None]:
    """The transaction of an engine that has none."""
    yield
