"""What this distribution offers. It is imported to list plugins, so it imports no driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flowforge import hookimpl
from flowforge.contract import FULL, Capability, EngineSpec, Executor, not_implemented, partial, unsupported
from flowforge_sqlite.settings import SQLiteSettings


def load() -> Callable[[Any], Executor]:
    """Import the driver, and only now."""
    from flowforge_sqlite.executor import SQLiteExecutor

    return SQLiteExecutor


SPEC = EngineSpec(
    name="sqlite",
    summary="SQLite, by the module of Python's standard library",
    settings=SQLiteSettings,
    load=load,
    abbreviation="LITE",
    table_options={"indexes": frozenset()},
    testkit_settings={"path": "{tmp}/conformance.db"},
    capabilities={
        Capability.TRANSACTIONAL_DDL: FULL,
        Capability.ATOMIC_REPLACE: FULL,
        Capability.VIEWS: FULL,
        Capability.CANCEL: FULL,
        Capability.TIMEOUT: FULL,
        Capability.LOCKS: partial("one lock for the whole database, and its holder is not known"),
        Capability.PARALLEL_SESSIONS: unsupported("one transaction writes at a time"),
        Capability.MERGE: unsupported("SQLite has no MERGE, and its upsert needs a unique index"),
        Capability.SOURCE_STATE: not_implemented("the file's change counter is not read"),
        Capability.FILE_SOURCES: unsupported("SQLite reads its own files only"),
        Capability.CONTENT_HASH: unsupported(
            "SQLite has no hash, and one in Python takes ten times as long as writing the rows"
        ),
        Capability.STRICT_CASTS: unsupported("SQLite makes 0 of a text that is no number"),
        Capability.EXACT_DECIMALS: unsupported("numbers with a fraction are binary floating point"),
        Capability.NESTED_TYPES: unsupported("a column holds one number, text or blob"),
        Capability.TIME_ZONES: unsupported("SQLite has no timestamps of its own"),
        Capability.ERROR_POSITION: unsupported("the sqlite3 module does not tell it"),
        Capability.SCHEMAS: unsupported("a file is one schema"),
        Capability.COMMENTS: unsupported("SQLite keeps none"),
        Capability.MATERIALIZED_VIEWS: unsupported("SQLite has none"),
        Capability.ZERO_COPY_CLONE: unsupported("SQLite copies the rows of a table"),
        Capability.ESTIMATE: unsupported("a query in your own process has no price"),
    },
)


@hookimpl
def flowforge_engines() -> Sequence[EngineSpec]:
    """Offer SQLite."""
    return [SPEC]
