"""What this distribution offers. It is imported to list plugins, so it imports no driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flowforge import hookimpl
from flowforge.contract import FULL, Capability, Dialect, EngineSpec, Executor, not_implemented, partial, unsupported
from flowforge.values import Namespace
from flowforge_mariadb.settings import MariaDBSettings


def load() -> Callable[[Any], Executor]:
    """Import the driver, and only now."""
    from flowforge_mariadb.executor import MariaDBExecutor

    return MariaDBExecutor


def offline(settings: MariaDBSettings) -> tuple[Dialect, Namespace]:
    """The text rules, without a server."""
    from flowforge_mariadb.dialect import MariaDBDialect

    return MariaDBDialect(), Namespace(settings.database)


SPEC = EngineSpec(
    name="mariadb",
    summary="MariaDB 10.6 and newer, by PyMySQL",
    settings=MariaDBSettings,
    load=load,
    offline=offline,
    abbreviation="MDB",
    testkit_settings={
        "port": "{env:FF_TEST_MARIADB_PORT}",
        "password": "{env:FF_TEST_MARIADB_PASSWORD}",
        "user": "ff",
        "database": "ff_test",
    },
    capabilities={
        Capability.ATOMIC_REPLACE: FULL,
        Capability.VIEWS: FULL,
        Capability.SCHEMAS: FULL,
        Capability.CANCEL: FULL,
        Capability.TIMEOUT: FULL,
        Capability.PARALLEL_SESSIONS: FULL,
        Capability.LOCKS: partial("its holder is known by the number of a connection only"),
        Capability.EXACT_DECIMALS: FULL,
        Capability.TRANSACTIONAL_DDL: unsupported("every CREATE, DROP and RENAME of MariaDB commits"),
        Capability.MERGE: unsupported("MariaDB has no MERGE, and its upsert needs a unique index"),
        Capability.STRICT_CASTS: unsupported("a query of MariaDB makes 0 of a text that is no number, with a warning"),
        Capability.TIME_ZONES: unsupported("MariaDB keeps no zone with a timestamp"),
        Capability.NESTED_TYPES: unsupported("MariaDB has neither lists nor structs"),
        Capability.ERROR_POSITION: unsupported("MariaDB quotes the place instead of telling its position"),
        Capability.MATERIALIZED_VIEWS: unsupported("MariaDB has none"),
        Capability.ZERO_COPY_CLONE: unsupported("MariaDB copies the rows of a table"),
        Capability.ESTIMATE: unsupported("a query on a server of your own has no price"),
        Capability.FILE_SOURCES: unsupported("MariaDB loads files, and reads none in place of a table"),
        Capability.CONTENT_HASH: not_implemented("CHECKSUM TABLE depends on the order of rows"),
        Capability.SOURCE_STATE: not_implemented("the time of the last change is lost when the server restarts"),
        Capability.COMMENTS: not_implemented("a column's comment can only be set with its whole definition"),
    },
)


@hookimpl
def flowforge_engines() -> Sequence[EngineSpec]:
    """Offer MariaDB."""
    return [SPEC]
