"""What this distribution offers: the SQLite example, without transactions and without locks; and one that clones tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from flowforge import hookimpl
from flowforge.contract import FULL, Capability, EngineSpec, Executor, not_implemented, partial, unsupported
from flowforge_plain.settings import PlainSettings


def load() -> Callable[[Any], Executor]:
    """Import the driver, and only now."""
    from flowforge_plain.engine import PlainExecutor

    return PlainExecutor


def load_cloning() -> Callable[[Any], Executor]:
    """The same for the engine that clones."""
    from flowforge_plain.engine import CloningExecutor

    return CloningExecutor


SPEC = EngineSpec(
    name="plain",
    summary="for tests: SQLite that pretends to have neither transactions nor locks",
    settings=PlainSettings,
    load=load,
    family="sqlite",
    table_options={"indexes": frozenset()},
    testkit_settings={"path": "{tmp}/conformance.db"},
    capabilities={
        Capability.ATOMIC_REPLACE: FULL,
        Capability.VIEWS: FULL,
        Capability.CANCEL: FULL,
        Capability.TIMEOUT: FULL,
        Capability.PARALLEL_SESSIONS: FULL,
        Capability.TRANSACTIONAL_DDL: unsupported("every statement commits by itself"),
        Capability.LOCKS: unsupported("there are none"),
        Capability.MERGE: unsupported("SQLite has no MERGE, and its upsert needs a unique index"),
        Capability.FILE_SOURCES: unsupported("SQLite reads its own files only"),
        Capability.CONTENT_HASH: partial("in Python, row by row"),
        Capability.SOURCE_STATE: not_implemented("as in the SQLite example"),
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


CLONING = attrs.evolve(
    SPEC,
    name="cloning",
    summary="for tests: the engine plain, with copies of tables and with MERGE",
    load=load_cloning,
    capabilities={
        **SPEC.capabilities,
        Capability.MERGE: FULL,
        Capability.ZERO_COPY_CLONE: partial("the rows are copied after all, by one statement that pretends not to"),
    },
)


@hookimpl
def flowforge_engines() -> Sequence[EngineSpec]:
    """Offer the engines."""
    return [SPEC, CLONING]
