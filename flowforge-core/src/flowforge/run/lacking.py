"""What a model asks for and its engine cannot do: said of all models at once, before anything is connected."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import attrs

from flowforge.contract import Capability, Dialect, EngineSpec, TableOptions
from flowforge.errors import CheckConfigError, ModelConfigError, Problems, UnsupportedError
from flowforge.materialize.increments import Strategy
from flowforge.project.manifest import CheckDecl, Node, NodeKind

KEYS = {"location": "storage", "format": "storage", "options": "storage"}
"""What an option is called in a model's settings, where the two differ."""


def refuse_what_is_lacking(
    node: Node, engine: EngineSpec, dialect: Dialect, databases: Collection[str] | None, problems: Problems
) -> None:
    """Add what *engine* cannot do for *node* to *problems*, each at the place of the setting that asks for it.

    Parameters
    ----------
    databases:
        Those that a model may name; ``None``: nobody knows.
    """

    def lacks(setting: str, what: str, help: str, code: str = "FF1108") -> None:
        message = f"{engine.name} {what}, but {node.short_name!r} asks for {{}}"
        asked = {"view": "one", "materialized_view": "one"}.get(node.materialized, "it")
        said = {"schema": repr(node.relation.schema), "materialized": asked, "database": repr(node.relation.database)}
        problems.add(
            ModelConfigError(
                message.format(said.get(setting, "it")), code=code, location=node.place(setting), help=help
            )
        )

    if node.relation.schema is not None and not engine.support(Capability.SCHEMAS):
        lacks("schema", "has no schemas", "remove `schema` from its config")
    if node.materialized == "view" and not engine.support(Capability.VIEWS):
        lacks("materialized", "has no views", "use materialized='table'")
    if node.materialized == "materialized_view" and not engine.support(Capability.MATERIALIZED_VIEWS):
        help_ = "use materialized='table', which is built anew when its inputs change, or 'incremental'"
        lacks("materialized", "has no materialized views", help_, "FF1154")
    database = node.relation.database
    if database is not None and databases is not None:
        known = {dialect.fold(name).casefold() for name in databases}
        if dialect.fold(database).casefold() not in known:
            where = f"writes only to the database {' or '.join(databases)}" if databases else "has no databases to name"
            lacks("database", where, "remove `database` from its config", "FF1155")
    if node.kind is NodeKind.PYTHON and node.config.frame not in (*_FRAMES, *engine.frames):
        frames = ", ".join((*_FRAMES, *engine.frames))
        lacks("frame", f"has no {node.config.frame} frames", f"there are {frames}", "FF1156")
    for option, what, help_ in _options(node, engine):
        lacks(KEYS.get(option, option), what, help_, "FF1153")


def refuse_quarantine(
    node: Node, checks: Collection[CheckDecl], engine: EngineSpec, dialect: Dialect, problems: Problems
) -> None:
    """Say that rows of *node* cannot be put aside on *engine*, at the place of the first check that asks for it."""
    growing = node.config.incremental
    at_once = engine.support(Capability.TRANSACTIONAL_DDL) and engine.support(Capability.LOCKS)
    why = None
    if growing is not None and growing.strategy == Strategy.APPEND.value and not at_once:
        why = (
            f"{engine.name} cannot move a released row into a table to which rows are only appended without the risk of "
            "doubling it"
        )
    try:
        dialect.row_hash({})
    except UnsupportedError as error:
        why = f"{engine.name} cannot tell rows apart: {error.message}"
    for check in list(checks)[:1] if why is not None else ():
        problems.add(
            CheckConfigError(
                f"rows of {node.short_name!r} cannot be put aside: {why}",
                code="FF3023",
                location=check.location,
                help="use `on_fail: stop` or `on_fail: warn`, or give an appended model a unique_key",
            )
        )


_FRAMES = ("pandas", "arrow", "polars")


def _options(node: Node, engine: EngineSpec) -> Iterator[tuple[str, str, str]]:
    """The option, what the engine lacks, and what to do."""
    options = table_options(node, engine)
    known = engine.table_options
    for name in options.named:
        if name not in known:
            elsewhere = "remove it, or limit the model to other engines: engines=[...]"
            yield name, f"cannot do `{KEYS.get(name, name)}`", elsewhere
    for name, given in (
        ("grants", tuple(options.grants)),
        ("indexes", tuple(index.type for index in options.indexes if index.type)),
        ("format", (options.format.lower(),) if options.format else ()),
    ):
        allowed = known.get(name, frozenset())
        for word in dict.fromkeys(given) if name in known else ():
            if word not in allowed:
                listed = ", ".join(sorted(allowed))
                yield (
                    name,
                    f"has no {word!r} in `{KEYS.get(name, name)}`",
                    f"it has {listed}" if listed else "remove it",
                )


def table_options(node: Node, engine: EngineSpec) -> TableOptions:
    """What the table of *node* is asked to be like.

    Columns whose rows are replaced together are no question of layout: an engine without partitions can do that too.
    """
    options = node.config.table_options
    growing = node.config.incremental
    overwrites = growing is not None and growing.strategy == Strategy.OVERWRITE.value
    if overwrites and "partition_by" not in engine.table_options:
        return attrs.evolve(options, partition_by=())
    return options
