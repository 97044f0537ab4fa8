"""What a profile may say about BigQuery. Knows no driver."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import attrs

from flowforge.contract import setting

FRAME = "bigframes"
"""What a Python model calls BigQuery DataFrames."""
_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_VALUE = re.compile(r"[a-z0-9_-]{0,63}")


def _named(instance: object, attribute: attrs.Attribute[Any], value: str) -> None:
    if not value.strip():
        raise ValueError(f"{attribute.name} must not be empty")


def _positive(instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and value <= 0:
        raise ValueError(f"{attribute.name} must be more than 0, not {value:g}")


def _labels(instance: object, attribute: attrs.Attribute[Any], value: Mapping[str, str]) -> None:
    for key, text in value.items():
        if not _LABEL.fullmatch(key) or not _VALUE.fullmatch(text):
            raise ValueError(
                f"the label {key}: {text} is not one of BigQuery's: up to 63 of a-z, 0-9, _ and -, the key a letter first"
            )


def _address(instance: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None and not re.match(r"https?://[^/\s]", value):
        raise ValueError(f"{attribute.name} is written https://host:port")


@attrs.frozen(kw_only=True)
class BigQuerySettings:
    """The settings of the engine ``bigquery``. Credentials are referred to, never written here."""

    project: str = setting(
        env="FF_BQ_PROJECT",
        validator=_named,
        help="The Google Cloud project that holds the tables and pays for the queries.",
    )
    dataset: str = setting(
        env="FF_BQ_DATASET",
        aliases=("schema", "db_schema"),
        validator=_named,
        help="The dataset of relations that name none.",
    )
    location: str | None = setting(
        default=None,
        env="FF_BQ_LOCATION",
        help="Where the dataset is, such as EU or us-east1; BigQuery finds it out when it is not given.",
    )
    keyfile: str | None = setting(
        default=None,
        env="FF_BQ_KEYFILE",
        path=True,
        aliases=("credentials_file", "service_account_file"),
        help="The JSON file of a service account; without it, the credentials of the environment are used.",
    )
    impersonate_service_account: str | None = setting(
        default=None,
        env="FF_BQ_IMPERSONATE_SERVICE_ACCOUNT",
        help="The service account to act as, for credentials that may do so.",
    )
    allow_create_dataset: bool = setting(
        default=False,
        env="FF_BQ_ALLOW_CREATE_DATASET",
        help="Whether datasets that are missing are created, in the location.",
    )
    use_bigframes: bool = setting(
        default=True,
        env="FF_BQ_USE_BIGFRAMES",
        help="Whether Python models may ask for BigQuery DataFrames (frame: bigframes).",
    )
    use_storage_api: bool = setting(
        default=True,
        env="FF_BQ_USE_STORAGE_API",
        help="Whether large results are read by the Storage Read API, which needs a permission of its own.",
    )
    compare_rows: bool = setting(
        default=True,
        env="FF_BQ_COMPARE_ROWS",
        help="Whether rows that were built again are hashed, so that equal ones cause no more work; one scan each.",
    )
    maximum_bytes_billed: int | None = setting(
        default=None,
        env="FF_BQ_MAX_BYTES",
        validator=_positive,
        help="A statement that would be billed for more bytes than this is refused by BigQuery before it runs.",
    )
    priority: Literal["interactive", "batch"] = setting(
        default="interactive",
        env="FF_BQ_PRIORITY",
        help="interactive, or batch for queries that may wait for idle capacity.",
    )
    labels: Mapping[str, str] = setting(
        factory=dict,
        validator=_labels,
        help="Labels of every job, as they appear in the billing export.",
    )
    timeout: float | None = setting(
        default=None,
        env="FF_BQ_TIMEOUT",
        validator=_positive,
        help="Seconds that one statement may take, where the run says nothing else.",
    )
    connect_timeout: float = setting(
        default=8.0,
        env="FF_BQ_CONNECT_TIMEOUT",
        validator=_positive,
        help="Seconds in which a service that does not answer is tried again.",
    )
    conflict_timeout: float = setting(
        default=60.0,
        env="FF_BQ_CONFLICT_TIMEOUT",
        validator=_positive,
        help="Seconds in which a statement is tried again that others disturbed by writing the same table.",
    )
    api_endpoint: str | None = setting(
        default=None,
        env="FF_BQ_API_ENDPOINT",
        validator=_address,
        help="Another address of the service, such as an emulator's; http:// is asked without credentials.",
    )
