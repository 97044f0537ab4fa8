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
    partial,
    unsupported,
)
from flowforge.hookspecs import hookimpl
from flowforge.values import Namespace
from flowforge_bigquery.options import OPTIONS
from flowforge_bigquery.settings import FRAME, BigQuerySettings

if TYPE_CHECKING:
    from flowforge.contract import Support


def _load() -> Callable[[Any], Executor]:
    from flowforge_bigquery.executor import BigQueryExecutor

    return BigQueryExecutor


def _offline(settings: BigQuerySettings) -> tuple[Dialect, Namespace]:
    from flowforge_bigquery.dialect import BigQueryDialect

    return BigQueryDialect(), Namespace(settings.dataset, settings.project)


CAPABILITIES: dict[Capability, Support] = {
    Capability.TRANSACTIONAL_DDL: unsupported("transactions of BigQuery hold rows of standing tables, and no DDL"),
    Capability.ATOMIC_REPLACE: partial("another kind of relation, or another partitioning, takes a drop and a copy"),
    Capability.MERGE: FULL,
    Capability.ZERO_COPY_CLONE: FULL,
    Capability.CANCEL: FULL,
    Capability.TIMEOUT: FULL,
    Capability.LOCKS: unsupported("BigQuery has no locks"),
    Capability.SOURCE_STATE: partial("views, external tables and tables that are being streamed into are unknown"),
    Capability.CONTENT_HASH: partial("not for columns of types that have no exact JSON"),
    Capability.FILE_SOURCES: unsupported("BigQuery reads files of Google Cloud Storage only, as external tables"),
    Capability.ESTIMATE: FULL,
    Capability.COMMENTS: FULL,
    Capability.VIEWS: FULL,
    Capability.MATERIALIZED_VIEWS: partial("BigQuery keeps their rows fresh by itself, and limits their queries"),
    Capability.SCHEMAS: FULL,
    Capability.PARALLEL_SESSIONS: FULL,
    Capability.ERROR_POSITION: partial("a table that is missing is named without its place"),
    Capability.STRICT_CASTS: FULL,
    Capability.NESTED_TYPES: partial("an ARRAY is never NULL and holds no NULL, and there are no maps"),
    Capability.EXACT_DECIMALS: partial("results have the scale of NUMERIC (9) or of BIGNUMERIC (38)"),
    Capability.TIME_ZONES: FULL,
}

ENGINE = EngineSpec(
    name="bigquery",
    aliases=("bq",),
    summary="Google BigQuery, by google-cloud-bigquery",
    settings=BigQuerySettings,
    load=_load,
    capabilities=CAPABILITIES,
    frames=(FRAME,),
    table_options=OPTIONS,
    databases=lambda settings: None,
    offline=_offline,
    abbreviation="BQ",
    testkit_settings={
        "project": "{env:FF_TEST_BIGQUERY_PROJECT}",
        "dataset": "ff_conformance",
        "api_endpoint": "{env:FF_TEST_BIGQUERY_ENDPOINT}",
        "allow_create_dataset": "true",
    },
)


@hookimpl
def flowforge_engines() -> Sequence[EngineSpec]:
    """Offer BigQuery."""
    return [ENGINE]
