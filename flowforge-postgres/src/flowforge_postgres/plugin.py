"""What this distribution offers. It is imported to list plugins, so it imports no driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from flowforge.contract import (
    FULL,
    Capability,
    Dialect,
    EngineSpec,
    Executor,
    not_implemented,
    unsupported,
)
from flowforge.hookspecs import hookimpl
from flowforge.values import Namespace
from flowforge_postgres.options import OPTIONS
from flowforge_postgres.settings import PostgresSettings, database_of

if TYPE_CHECKING:
    from flowforge.contract import Support


def _load() -> Callable[[Any], Executor]:
    from flowforge_postgres.executor import PostgresExecutor

    return PostgresExecutor


def _offline(settings: PostgresSettings) -> tuple[Dialect, Namespace]:
    from flowforge_postgres.dialect import PostgresDialect

    return PostgresDialect(), Namespace(settings.schema)


def _databases(settings: PostgresSettings) -> tuple[str, ...] | None:
    """The one that is connected to, where the settings name it; a statement cannot reach any other."""
    name = database_of(settings)
    return None if name is None else (name,)


CAPABILITIES: dict[Capability, Support] = {
    Capability.TRANSACTIONAL_DDL: FULL,
    Capability.ATOMIC_REPLACE: FULL,
    Capability.MERGE: FULL,
    Capability.ZERO_COPY_CLONE: unsupported("PostgreSQL copies the rows of a table"),
    Capability.CANCEL: FULL,
    Capability.TIMEOUT: FULL,
    Capability.LOCKS: FULL,
    Capability.SOURCE_STATE: FULL,
    Capability.FILE_SOURCES: unsupported("PostgreSQL reads files of its own machine only, and as its own user"),
    Capability.CONTENT_HASH: FULL,
    Capability.ESTIMATE: unsupported("a query on a server of your own has no price"),
    Capability.COMMENTS: FULL,
    Capability.VIEWS: FULL,
    Capability.MATERIALIZED_VIEWS: FULL,
    Capability.SCHEMAS: FULL,
    Capability.PARALLEL_SESSIONS: FULL,
    Capability.ERROR_POSITION: FULL,
    Capability.STRICT_CASTS: FULL,
    Capability.NESTED_TYPES: not_implemented("lists are arrays, but a struct would need a type with a name of its own"),
    Capability.EXACT_DECIMALS: FULL,
    Capability.TIME_ZONES: FULL,
}

ENGINE = EngineSpec(
    name="postgres",
    aliases=("postgresql", "pg"),
    summary="PostgreSQL 15 and newer, by psycopg",
    settings=PostgresSettings,
    load=_load,
    capabilities=CAPABILITIES,
    table_options=OPTIONS,
    databases=_databases,
    offline=_offline,
    abbreviation="PG",
    testkit_settings={"dsn": "{env:FF_TEST_POSTGRES_DSN}"},
)


@hookimpl
def flowforge_engines() -> Sequence[EngineSpec]:
    """Offer PostgreSQL."""
    return [ENGINE]
