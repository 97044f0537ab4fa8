"""The loaded project as frozen values: nodes, sources, check declarations, manifest.

Made by :mod:`flowforge.project.load`, read by every floor above. Nothing here opens a file or a connection.
"""

from __future__ import annotations

import enum
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from flowforge.errors import Note
from flowforge.frozen import frozen
from flowforge.project.contracts import Contract
from flowforge.values import Location, Relation

if TYPE_CHECKING:
    from flowforge.config.freshness import FreshnessRule
    from flowforge.contract import Index, TableOptions
    from flowforge.project.hooks import Hook
    from flowforge.project.macros import MacroLibrary
    from flowforge.project.own_checks import OwnCheck
    from flowforge.project.table_settings import Storage


def _no_macros() -> MacroLibrary:
    from flowforge.project.macros import MacroLibrary  # which knows the calls that are described here

    return MacroLibrary()


class NodeKind(enum.Enum):
    """What a node is made from."""

    SQL = "sql"
    PYTHON = "python"
    SEED = "seed"


@frozen
class RefCall:
    """One ``ref('name')`` (or one entry of ``deps``), as it stands in a file."""

    name: str
    location: Location


@frozen
class SourceCall:
    """One ``source('group', 'table')``, as it stands in a file."""

    source: str
    table: str
    location: Location


@frozen
class ColumnInfo:
    """What the project says about a column."""

    name: str
    description: str | None = None


@frozen
class Incremental:
    """How a model's table grows.

    Parameters
    ----------
    strategy:
        ``append``, ``merge``, ``delete+insert``, ``insert_overwrite`` or ``microbatch``.
    unique_key:
        Columns that tell rows apart.
    updated_at:
        Columns that grow: rows that are not above what the table holds are old.
    partition_by:
        Columns whose values are replaced together.
    on_schema_change:
        ``ignore``, ``fail``, ``append_new_columns`` or ``sync_all_columns``.
    event_time, begin, batch_size, lookback:
        For ``microbatch``: the column that says to which window a row belongs, since when there are rows (ISO's form,
        UTC), ``hour``, ``day``, ``month`` or ``year``, and how many windows before the newest are built once more.
    delta_sql, delta_python:
        What gives the new rows in place of the model itself: a query or the name of a file that holds it, or
        ``module:function``.
    """

    strategy: str
    unique_key: tuple[str, ...] = ()
    updated_at: tuple[str, ...] = ()
    partition_by: tuple[str, ...] = ()
    on_schema_change: str = "ignore"
    event_time: str | None = None
    begin: str | None = None
    batch_size: str | None = None
    lookback: int = 0
    delta_sql: str | None = None
    delta_python: str | None = None

    @property
    def in_windows(self) -> bool:
        """Whether it is built window by window."""
        return self.strategy == "microbatch"


@frozen
class Snapshot:
    """How a model's history is kept.

    Parameters
    ----------
    strategy:
        ``timestamp`` (a higher *updated_at* is a new version) or ``check`` (other values are).
    unique_key:
        Columns that tell rows apart.
    updated_at:
        For ``timestamp``: the column that says when a row was changed.
    check_cols:
        For ``check``: the columns that are compared; none: all but the key.
    hard_deletes:
        What becomes of keys that the query no longer has: ``ignore``, ``invalidate`` or ``new_record``.
    """

    strategy: str
    unique_key: tuple[str, ...]
    updated_at: str | None = None
    check_cols: tuple[str, ...] = ()
    hard_deletes: str = "ignore"


@frozen
class ModelConfig:
    """The settings of one model, after all layers were merged.

    Parameters
    ----------
    schema:
        Added to the profile's schema (``<profile schema>_<schema>``).
    engines:
        It is part of the project only on these; on all of them when it names none.
    env_match:
        It is part of the project only when these variables of the environment have these values.
    frame:
        Kind of DataFrame that a Python model's function takes.
    dialect:
        What a SQL model is written in; ``None``: in the engine's own dialect.
    timeout:
        Seconds that one of its statements may take.
    cache:
        ``False``: build it in every run. ``True``: what looks volatile in it is not. ``None``: as FlowForge sees it.
    inputs:
        Files that it reads, as globs relative to the project; their content counts.
    event_time:
        The column that says when a row happened: who builds window by window reads only the rows of the window.
    database:
        Where it is written, if not in the profile's database.
    group:
        Models that belong together, to be selected.
    storage, partition_by, cluster_by, indexes, grants:
        See :class:`~flowforge.contract.TableOptions`.
    pre_hook, post_hook:
        Statements that run before and after it is built.
    on_fail:
        What becomes of rows that fail those of its checks that say nothing themselves.
    """

    materialized: str = "table"
    tags: tuple[str, ...] = ()
    meta: Mapping[str, Any] = attrs.field(factory=dict)
    description: str | None = None
    owner: str | None = None
    alias: str | None = None
    schema: str | None = None
    enabled: bool = True
    engines: tuple[str, ...] = ()
    env_match: Mapping[str, str] = attrs.field(factory=dict)
    deps: tuple[str, ...] = ()
    frame: str = "pandas"
    dialect: str | None = None
    timeout: float | None = None
    cache: bool | None = None
    inputs: tuple[str, ...] = ()
    incremental: Incremental | None = None
    snapshot: Snapshot | None = None
    event_time: str | None = None
    database: str | None = None
    group: str | None = None
    storage: Storage | None = None
    partition_by: tuple[str, ...] = ()
    cluster_by: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
    grants: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    pre_hook: tuple[Hook, ...] = ()
    post_hook: tuple[Hook, ...] = ()
    on_fail: str | None = None

    @property
    def hooks(self) -> tuple[Hook, ...]:
        """All of its hooks."""
        return (*self.pre_hook, *self.post_hook)

    @property
    def table_options(self) -> TableOptions:
        """What its table should be like."""
        from flowforge.contract import TableOptions

        storage = self.storage
        return TableOptions(
            partition_by=self.partition_by,
            cluster_by=self.cluster_by,
            indexes=self.indexes,
            format=storage.format if storage else None,
            location=storage.path if storage else None,
            options=storage.options if storage else {},
            grants=self.grants,
        )


@frozen
class SqlBody:
    """A SQL model's template.

    *template* has the same lines and columns as the file: a ``CREATE ... AS`` in front was blanked out, not cut.
    *simple* is True when the template holds only literal calls, so that it renders without compiling Jinja.
    """

    template: str
    simple: bool = False


@frozen
class PythonBody:
    """A Python model's function, as read from the syntax tree; the module is imported only to run.

    Parameters
    ----------
    function:
        Name of the function in the file.
    parameters:
        Names of its positional parameters.
    variadic:
        True when it takes ``*args``.
    requires:
        Columns that an input must have, by the input's relation (or node) name.
    line:
        Line of the ``def``, from 1.
    """

    function: str
    parameters: tuple[str, ...]
    variadic: bool
    requires: Mapping[str, tuple[str, ...]]
    line: int


@frozen
class Delta:
    """What gives the new rows of an incremental model, in place of the model itself.

    Parameters
    ----------
    path:
        The file in which it stands, relative to the project.
    """

    body: SqlBody | PythonBody
    path: str
    refs: tuple[RefCall, ...] = ()
    sources: tuple[SourceCall, ...] = ()

    @property
    def query(self) -> SqlBody | None:
        """The template that the rows come from; ``None`` where they come from a function."""
        return self.body if isinstance(self.body, SqlBody) else None


@frozen
class SeedBody:
    """What a seed's table is made from.

    Parameters
    ----------
    types:
        Declared types of columns, in the words of :mod:`flowforge.config.type_words`.
    options:
        How the file is written: an instance of what its format declares; ``None``: as usual.
    loaded_columns:
        Add columns that say when, and from which file, the rows were loaded.
    id:
        The file's path among the seeds, without its suffix.
    query:
        The template of a SQL seed, whose rows its query gives.
    """

    suffix: str
    types: Mapping[str, str] = attrs.field(factory=dict)
    options: Any = None
    loaded_columns: bool = False
    id: str = ""
    query: SqlBody | None = None


@frozen
class Node:
    """One thing that becomes a relation: a model or a seed.

    Parameters
    ----------
    name:
        Unique in the project: ``users.ff`` for ``users.ff.sql``.
    path:
        File, relative to the project.
    relation:
        Logical name; missing parts come from the profile when it runs.
    depends_on:
        Names of the nodes that have to stand before this one, sorted, without doubles.
    reads:
        Ids of the sources that it reads (``group.table``), sorted, without doubles.
    profile:
        Name of the profile that it runs under, when it is not the run's; room for several engines in one run.
    contract:
        What its columns are like.
    place_of:
        Where a setting of it stands; the file itself, when nobody said it.
    """

    name: str
    kind: NodeKind
    path: str
    relation: Relation
    config: ModelConfig
    body: SqlBody | PythonBody | SeedBody
    refs: tuple[RefCall, ...] = ()
    sources: tuple[SourceCall, ...] = ()
    depends_on: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    description: str | None = None
    columns: Mapping[str, ColumnInfo] = attrs.field(factory=dict)
    package: str = ""
    profile: str | None = None
    delta: Delta | None = None
    contract: Contract | None = None
    place_of: Callable[[str], Location] | None = attrs.field(default=None, eq=False, repr=False)

    def place(self, setting: str) -> Location:
        """Where a setting stands, for errors."""
        return self.place_of(setting) if self.place_of is not None else Location(self.path)

    @property
    def short_name(self) -> str:
        """The name without ``.ff``, for people."""
        return self.name.removesuffix(".ff")

    @property
    def query(self) -> SqlBody | None:
        """The template that the rows come from; ``None`` where they come from a function or a file."""
        return (
            self.body.query
            if isinstance(self.body, SeedBody)
            else self.body
            if isinstance(self.body, SqlBody)
            else None
        )

    @property
    def materialized(self) -> str:
        """How it is stored: ``table``, ``view``, ``materialized_view``, ``incremental``, ``snapshot`` ... or ``seed``."""
        return "seed" if self.kind is NodeKind.SEED else self.config.materialized


def complete(node: Node, **fields: Any) -> None:
    """Fill in what is known only when all nodes are; for who loads them: 10,000 copies would take a tenth of the time."""
    for name, value in fields.items():
        object.__setattr__(node, name, value)


@frozen
class SourceFiles:
    """Files that an engine reads as if they were a table.

    Parameters
    ----------
    location:
        As ``sources.yml`` says it: relative to the project's folder, a whole path, or an address such as ``s3://...``.
    format, options:
        How they are read; the engine knows what it may be.
    written:
        Where the location stands.
    """

    location: str
    format: str | None
    options: Mapping[str, Any]
    written: Location


@frozen
class Source:
    """A table, or files, that the project reads and does not build.

    Parameters
    ----------
    relation:
        The table, on the engine that the project was loaded for.
    files:
        The files in its place, if its rows are in files there.
    node:
        The project's own seed or model when the source resolves to it.
    group_description, meta, tags:
        For people, and for selectors; those of the group are among them.
    assume_unchanged:
        Its rows count as always the same.
    loaded_at:
        The column that grows with every load of a table that is only appended to.
    freshness:
        How old its newest row may be.
    event_time:
        The column that says when a row happened.
    """

    id: str
    group: str
    table: str
    relation: Relation
    location: Location
    description: str | None = None
    columns: Mapping[str, ColumnInfo] = attrs.field(factory=dict)
    node: str | None = None
    assume_unchanged: bool = False
    loaded_at: str | None = None
    freshness: FreshnessRule | None = None
    files: SourceFiles | None = None
    meta: Mapping[str, Any] = attrs.field(factory=dict)
    tags: tuple[str, ...] = ()
    group_description: str | None = None
    event_time: str | None = None


_LIMIT = re.compile(r"\s*(?P<sign>[<>]=?|=|==|!=|<>)\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<percent>%)?\s*")
_SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
}


@frozen
class Limit:
    """How many failures make a finding: ``> 10``, ``!= 0``, ``>= 5%`` of the rows."""

    sign: str
    number: float
    percent: bool = False

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Read one.

        Raises
        ------
        ValueError
            When *text* is none.
        """
        match = _LIMIT.fullmatch(text)
        if match is None:
            raise ValueError(f"is no limit: {text!r}")
        if match["percent"] and float(match["number"]) > 100:
            raise ValueError(f"is more than all rows: {text!r}")
        return cls(match["sign"], float(match["number"]), bool(match["percent"]))

    def holds(self, failures: int, rows: int | None) -> bool:
        """Whether so many failures among *rows* are meant."""
        if not self.percent:
            return _SIGNS[self.sign](failures, self.number)
        # Compared as whole numbers, so that 5% of 20 is 1 on every machine.
        return _SIGNS[self.sign](failures * 100, self.number * (rows or 0))

    def __str__(self) -> str:
        return f"{self.sign} {self.number:g}{'%' if self.percent else ''}"


@frozen
class CheckTable:
    """A further table that a check reads: as it is *written*, its plain *name*, and the *node* behind it, if any."""

    written: str
    name: str
    node: str | None = None


@frozen
class CheckDecl:
    """One declared check.

    Parameters
    ----------
    id:
        Unique and stable: ``not_null_users_email``, or the ``name:`` that it was given.
    type:
        Name of the :class:`~flowforge.contract.CheckSpec`.
    table:
        What the YAML says; *node* is the node that it means, when it is one of the project's, *source* the id of the
        source.
    params:
        An instance of the check's parameter class.
    warn_if, error_if:
        How many failures make a warning and an error; ``None``: any.
    reads:
        Further tables; all of them, for a singular test, which has no table of its own.
    own:
        What the project itself says that the check is, if it does.
    on_fail:
        ``stop``, ``warn`` or ``quarantine``: what becomes of new rows that fail.
    judges_rows:
        Failing rows can be told one by one.
    is_silent:
        The project says neither its severity nor its *on_fail*, so that the model may.
    """

    id: str
    type: str
    table: str
    params: Any
    location: Location
    node: str | None = None
    column: str | None = None
    severity: str = "error"
    tags: tuple[str, ...] = ()
    description: str | None = None
    warn_if: Limit | None = None
    error_if: Limit | None = None
    reads: tuple[CheckTable, ...] = ()
    source: str | None = None
    own: OwnCheck | None = attrs.field(default=None, repr=False)
    on_fail: str = "stop"
    judges_rows: bool = False
    is_silent: bool = attrs.field(default=True, eq=False)

    @property
    def is_singular(self) -> bool:
        """Whether it stands for itself, and not for a table."""
        return self.own is not None and self.own.tuning is not None

    @property
    def subjects(self) -> tuple[str, ...]:
        """The nodes that it is about: that of its table, and all that a singular test reads."""
        if self.is_singular:
            return tuple(table.node for table in self.reads if table.node is not None)
        return (self.node,) if self.node is not None else ()


@frozen
class Manifest:
    """A whole project. *nodes* is sorted by name."""

    project: str
    version: str
    nodes: Mapping[str, Node]
    sources: Mapping[str, Source]
    checks: tuple[CheckDecl, ...] = ()
    vars: Mapping[str, Any] = attrs.field(factory=dict)
    notes: tuple[Note, ...] = ()
    macros: MacroLibrary = attrs.field(factory=lambda: _no_macros())
    dialect: str | None = None
    """What SQL is written in that says nothing of it."""
    own_checks: Mapping[str, OwnCheck] = attrs.field(factory=dict, repr=False)
    """The checks with a type that the project brings itself."""
    contracts: Mapping[str, Contract] = attrs.field(factory=dict)
    """By the node that makes the table, or by the id of the source."""

    def find(self, name: str) -> Node | None:
        """The node called *name*, with or without ``.ff``, or whose relation has that name; ``None`` if there is none."""
        for key in (name, f"{name}.ff", name.removesuffix(".ff")):
            if key in self.nodes:
                return self.nodes[key]
        for node in self.nodes.values():
            if node.relation.name == name:
                return node
        return None

    def source_called(self, name: str) -> Source | None:
        """The source with this id, or else one whose table has this name; ``None`` if there is none."""
        if name in self.sources:
            return self.sources[name]
        tables = (source for source in self.sources.values() if source.files is None)
        return next((source for source in tables if source.relation.name == name), None)

    def checks_of(self, node: str) -> Iterator[CheckDecl]:
        """The checks declared for a node."""
        return (check for check in self.checks if check.node == node)
