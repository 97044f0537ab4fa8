"""What this distribution offers. It is imported to list plugins, so it imports no driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from flowforge.contract import (
    FULL,
    Capability,
    Dialect,
    EngineSpec,
    Executor,
    unsupported,
)
from flowforge.hookspecs import hookimpl
from flowforge.values import Namespace
from flowforge_duckdb.indexes import OPTIONS
from flowforge_duckdb.settings import FRAME, MEMORY, DuckDBSettings, database_name

if TYPE_CHECKING:
    from flowforge.contract import Support


def _load() -> Callable[[Any], Executor]:
    from flowforge_duckdb.executor import DuckDBExecutor

    return DuckDBExecutor


def _offline(settings: DuckDBSettings) -> tuple[Dialect, Namespace]:
    """As the executor does it, but for asking the database what it is called."""
    from flowforge_duckdb.dialect import DuckDBDialect

    database = settings.catalog
    if database is None and settings.schema.lower() == database_name(settings.path).lower():
        database = database_name(settings.path)
    return DuckDBDialect(), Namespace(settings.schema, database)


def _stand_in(settings: DuckDBSettings, folder: Path) -> DuckDBSettings | None:
    """DuckDB makes a file by opening it; one of the same name elsewhere has the same name inside, too."""
    path = Path(settings.path)
    if not settings.path or settings.path.startswith(MEMORY) or path.exists():
        return None
    return attrs.evolve(settings, path=str(folder / path.name))


def _scratch(settings: DuckDBSettings) -> DuckDBSettings:
    return attrs.evolve(settings, path=MEMORY, catalog=None)


CAPABILITIES: dict[Capability, Support] = {
    Capability.TRANSACTIONAL_DDL: FULL,
    Capability.ATOMIC_REPLACE: FULL,
    Capability.MERGE: FULL,
    Capability.ZERO_COPY_CLONE: unsupported("DuckDB copies the rows of a table"),
    Capability.CANCEL: FULL,
    Capability.TIMEOUT: FULL,
    Capability.LOCKS: FULL,
    Capability.SOURCE_STATE: FULL,
    Capability.CONTENT_HASH: FULL,
    Capability.FILE_SOURCES: FULL,
    Capability.ESTIMATE: unsupported("a query in your own process has no price"),
    Capability.COMMENTS: FULL,
    Capability.VIEWS: FULL,
    Capability.MATERIALIZED_VIEWS: unsupported("DuckDB has none"),
    Capability.SCHEMAS: FULL,
    Capability.PARALLEL_SESSIONS: FULL,
    Capability.ERROR_POSITION: FULL,
    Capability.STRICT_CASTS: FULL,
    Capability.NESTED_TYPES: FULL,
    Capability.EXACT_DECIMALS: FULL,
    Capability.TIME_ZONES: FULL,
}


def _databases(settings: DuckDBSettings) -> tuple[str, ...]:
    """A transaction writes to one database only, and that is the one with FlowForge's notes."""
    return (settings.catalog or database_name(settings.path),)


ENGINE = EngineSpec(
    name="duckdb",
    summary="DuckDB: an embedded analytical database, in one file or in memory",
    settings=DuckDBSettings,
    load=_load,
    capabilities=CAPABILITIES,
    zero_config=True,
    frames=(FRAME,),
    table_options=OPTIONS,
    databases=_databases,
    offline=_offline,
    stand_in=_stand_in,
    scratch=_scratch,
    abbreviation="DUCK",
    testkit_settings={"path": "{tmp}/conformance.duckdb"},
)


@hookimpl
def flowforge_engines() -> Sequence[EngineSpec]:
    """Offer DuckDB."""
    return [ENGINE]
