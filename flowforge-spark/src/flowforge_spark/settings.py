"""What a profile may say about Spark and Databricks. Knows no driver."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

import attrs

from flowforge.contract import setting
from flowforge_spark.formats import FORMATS, format_of

_WAREHOUSE = "spark-warehouse"
_ZONE = "spark.sql.session.timeZone"
_MASTER = re.compile(r"(local(\[.*\])?|yarn|k8s://.+|spark://.+|sc://.+)", re.IGNORECASE)


def _master(instance: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is None:
        return
    if not _MASTER.fullmatch(value):
        raise ValueError(
            "a master is local[2], spark://host:7077, yarn, k8s://..., or sc://host:15002 for Spark Connect"
        )
    if value.lower().startswith("sc://"):
        parts = urlsplit(value)
        if not parts.hostname:
            raise ValueError("an address of Spark Connect is written sc://host:15002")
        if parts.password or re.search(r";\s*token\s*=", parts.path, re.IGNORECASE):
            raise ValueError("a token does not belong into an address, which is shown: write it as token")


def _format(instance: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None:
        format_of(value)


def _state_format(instance: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None and not format_of(value).changes_rows:
        able = ", ".join(name for name, one in FORMATS.items() if one.changes_rows)
        raise ValueError(f"notes and leases need a format whose rows can be changed: {able}")


def _plain_values(instance: object, attribute: attrs.Attribute[Any], value: Mapping[str, Any]) -> None:
    for key, one in value.items():
        if not isinstance(one, (str, int, float, bool)):
            raise ValueError(f"{key} in {attribute.name} must be a text, a number, true or false")


def _conf(instance: object, attribute: attrs.Attribute[Any], value: Mapping[str, Any]) -> None:
    _plain_values(instance, attribute, value)
    if value.get(_ZONE, "UTC") != "UTC":
        raise ValueError(f"{_ZONE} is UTC for FlowForge, or timestamps would differ between engines")


def _positive(instance: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if value <= 0:
        raise ValueError(f"{attribute.name} must be more than 0, not {value:g}")


def _one_way(instance: Any, attribute: attrs.Attribute[Any], value: str | None) -> None:
    """Runs last, when all fields are set."""
    if instance.is_connect and PurePath(instance.warehouse_dir).name != _WAREHOUSE:
        raise ValueError("warehouse_dir is for a Spark that runs here; a server has its own")
    if instance.host is not None and instance.master is not None:
        raise ValueError("host is for Databricks Connect and master for everything else: say one of them")
    if instance.cluster_id is not None and instance.host is None:
        raise ValueError("cluster_id needs host")


@attrs.frozen(kw_only=True)
class SparkSettings:
    """The settings of the engine ``databricks_spark``: where Spark runs, and where and how it keeps tables."""

    master: str | None = setting(
        default=None,
        env="FF_DBR_MASTER",
        aliases=("remote",),
        validator=_master,
        help="Where Spark runs: local[4], spark://..., yarn, or sc://host:15002 for Spark Connect; local[*] if not said.",
    )
    app_name: str = setting(default="flowforge", env="FF_DBR_APPNAME", help="What Spark shows as the application.")
    catalog: str | None = setting(
        default=None, env="FF_DBR_CATALOG", help="The catalog of relations that name no database; else Spark's own."
    )
    database: str = setting(
        default="default",
        env="FF_DBR_DATABASE",
        aliases=("schema", "db_schema"),
        help="The schema of relations that name none; it is made when it is missing.",
    )
    warehouse_dir: str = setting(
        default=_WAREHOUSE,
        env="FF_DBR_WAREHOUSE_DIR",
        path=True,
        help="Where a Spark that runs here keeps tables without a location, relative to the project folder.",
    )
    use_hive_metastore: bool | None = setting(
        default=None,
        env="FF_DBR_ENABLE_HIVE",
        help="Keep the catalogue in a Hive metastore. Without it a local Spark forgets its tables at the end, so there "
        "it is on if not said.",
    )
    table_format: str | None = setting(
        default=None,
        env="FF_DBR_TABLE_FORMAT",
        validator=_format,
        affects_data=True,
        help="The format of tables that name none: delta, iceberg, parquet, ...; parquet on a local master, else delta.",
    )
    table_options: Mapping[str, Any] = setting(
        factory=dict,
        affects_data=True,
        validator=_plain_values,
        help="Options that every table is written with, as the format calls them.",
    )
    state_format: str | None = setting(
        default=None,
        validator=_state_format,
        help="The format of FlowForge's own tables, when table_format cannot change rows: delta or iceberg.",
    )
    extra_conf: Mapping[str, Any] = setting(
        factory=dict,
        secret=True,
        affects_data=True,
        validator=_conf,
        help="Further Spark settings, as spark-submit --conf has them.",
    )
    connect_timeout: float = setting(
        default=8.0, validator=_positive, help="Seconds to wait for a server of Spark Connect."
    )
    token: str | None = setting(
        default=None, env="FF_DBR_TOKEN", secret=True, help="The token for Spark Connect or Databricks."
    )
    cluster_id: str | None = setting(
        default=None, env="FF_DBR_CLUSTER_ID", help="The Databricks cluster; without it serverless compute."
    )
    host: str | None = setting(
        default=None,
        env="FF_DBR_HOST",
        validator=_one_way,
        help="The Databricks workspace: https://....databricks.com.",
    )

    @property
    def is_connect(self) -> bool:
        """Whether Spark is elsewhere, behind Spark Connect."""
        return self.host is not None or (self.master or "").lower().startswith("sc://")

    @property
    def is_local(self) -> bool:
        """Whether Spark runs inside of this very process."""
        return self.host is None and (self.master or "local[*]").lower().startswith("local")

    @property
    def default_format(self) -> str:
        """The format of tables that name none."""
        return self.table_format or ("parquet" if self.is_local else "delta")

    @property
    def place(self) -> str:
        """Where Spark runs, for people."""
        if self.host is not None:
            return self.host
        return (self.master or "local[*]").partition(";")[0].rstrip("/")
