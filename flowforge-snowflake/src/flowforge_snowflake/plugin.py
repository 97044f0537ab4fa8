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
    partial,
    unsupported,
)
from flowforge.hookspecs import hookimpl
from flowforge.values import Namespace
from flowforge_snowflake.options import OPTIONS
from flowforge_snowflake.settings import SnowflakeSettings

if TYPE_CHECKING:
    from flowforge.contract import Support


def _load() -> Callable[[Any], Executor]:
    from flowforge_snowflake.executor import SnowflakeExecutor

    return SnowflakeExecutor


def _offline(settings: SnowflakeSettings) -> tuple[Dialect, Namespace]:
    from flowforge_snowflake.dialect import SnowflakeDialect

    return SnowflakeDialect(), Namespace(settings.schema, settings.database)


# What the service can do. What an emulator lacks stands in tests/known_gaps.toml.
CAPABILITIES: dict[Capability, Support] = {
    Capability.TRANSACTIONAL_DDL: unsupported("every statement of DDL commits by itself; DML has transactions"),
    Capability.ATOMIC_REPLACE: partial("a view is dropped before a table takes its place, and the other way round"),
    Capability.MERGE: FULL,
    Capability.ZERO_COPY_CLONE: FULL,
    Capability.CANCEL: FULL,
    Capability.TIMEOUT: partial("in whole seconds"),
    Capability.LOCKS: unsupported("it has no locks that a program can take; FlowForge keeps leases in a table"),
    Capability.SOURCE_STATE: partial("of tables; nothing tells when the rows of a view changed"),
    Capability.FILE_SOURCES: not_implemented("files are read through stages and external tables"),
    Capability.CONTENT_HASH: unsupported("HASH_AGG has 64 bits, and gives 0.0 and -0.0 one number"),
    Capability.ESTIMATE: not_implemented("EXPLAIN tells bytes, and what they cost is the warehouse's time"),
    Capability.COMMENTS: FULL,
    Capability.VIEWS: FULL,
    Capability.MATERIALIZED_VIEWS: unsupported("Snowflake refreshes its own by itself, and they read one table only"),
    Capability.SCHEMAS: FULL,
    Capability.PARALLEL_SESSIONS: FULL,
    Capability.ERROR_POSITION: partial("of wrong syntax and of unknown columns"),
    Capability.STRICT_CASTS: FULL,
    Capability.NESTED_TYPES: not_implemented("arrays and objects are read as JSON, and so not written from Arrow's"),
    Capability.EXACT_DECIMALS: FULL,
    Capability.TIME_ZONES: FULL,
}

ENGINE = EngineSpec(
    name="snowflake_snowpark",
    aliases=("snowflake", "snowpark"),
    summary="Snowflake, by its connector and Snowpark",
    settings=SnowflakeSettings,
    load=_load,
    capabilities=CAPABILITIES,
    frames=("snowpark",),
    table_options=OPTIONS,
    databases=lambda settings: None,
    offline=_offline,
    abbreviation="SF",
    testkit_settings={
        "account": "{env:FF_TEST_SNOWFLAKE_ACCOUNT}",
        "user": "{env:FF_TEST_SNOWFLAKE_USER}",
        "password": "{env:FF_TEST_SNOWFLAKE_PASSWORD}",
        "host": "{env:FF_TEST_SNOWFLAKE_HOST}",
        "port": "{env:FF_TEST_SNOWFLAKE_PORT}",
        "protocol": "{env:FF_TEST_SNOWFLAKE_PROTOCOL}",
        "database": "{env:FF_TEST_SNOWFLAKE_DATABASE}",
        "load": "{env:FF_TEST_SNOWFLAKE_LOAD}",
    },
)


@hookimpl
def flowforge_engines() -> Sequence[EngineSpec]:
    """Offer Snowflake."""
    return [ENGINE]
