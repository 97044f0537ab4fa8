"""What this distribution offers. It is imported to list plugins, so it imports no driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from flowforge.contract import FULL, Capability, Dialect, EngineSpec, Executor, not_implemented, partial, unsupported
from flowforge.hookspecs import hookimpl
from flowforge.values import Namespace
from flowforge_spark.options import OPTIONS
from flowforge_spark.settings import SparkSettings

if TYPE_CHECKING:
    from flowforge.contract import Support


def _load() -> Callable[[Any], Executor]:
    from flowforge_spark.executor import SparkExecutor

    return SparkExecutor


def _offline(settings: SparkSettings) -> tuple[Dialect, Namespace]:
    from flowforge_spark.dialect import SparkDialect

    return SparkDialect(), Namespace(settings.database, settings.catalog)


CAPABILITIES: dict[Capability, Support] = {
    Capability.TRANSACTIONAL_DDL: unsupported("every statement of Spark commits by itself"),
    Capability.ATOMIC_REPLACE: partial("a table that takes the place of a view, or a view of a table, needs two steps"),
    Capability.MERGE: partial("tables of delta and iceberg; those of other formats are written anew"),
    Capability.ZERO_COPY_CLONE: not_implemented("Delta's shallow clones need their source"),
    Capability.CANCEL: FULL,
    Capability.TIMEOUT: FULL,
    Capability.LOCKS: unsupported("Spark has none; runs keep each other out by leases"),
    Capability.SOURCE_STATE: not_implemented("Delta's versions could tell"),
    Capability.FILE_SOURCES: not_implemented("Spark reads files by their path, but takes no options there"),
    Capability.CONTENT_HASH: partial("not of lists, maps and structs that hold timestamps or bytes"),
    Capability.ESTIMATE: unsupported("a query on a cluster of your own has no price"),
    Capability.COMMENTS: partial("columns of views get none"),
    Capability.VIEWS: FULL,
    Capability.MATERIALIZED_VIEWS: unsupported("only Databricks has them"),
    Capability.SCHEMAS: FULL,
    Capability.PARALLEL_SESSIONS: FULL,
    Capability.ERROR_POSITION: FULL,
    Capability.STRICT_CASTS: FULL,
    Capability.NESTED_TYPES: FULL,
    Capability.EXACT_DECIMALS: FULL,
    Capability.TIME_ZONES: FULL,
}

ENGINE = EngineSpec(
    name="databricks_spark",
    aliases=("spark", "databricks"),
    summary="Apache Spark 4 in this process, behind Spark Connect, or on Databricks",
    settings=SparkSettings,
    load=_load,
    capabilities=CAPABILITIES,
    frames=("spark",),
    table_options=OPTIONS,
    databases=lambda settings: None,
    offline=_offline,
    abbreviation="SPK",
    family="spark",
    testkit_settings={"master": "{env:FF_TEST_SPARK_MASTER}"},
)


@hookimpl
def flowforge_engines() -> Sequence[EngineSpec]:
    """Offer Spark."""
    return [ENGINE]
