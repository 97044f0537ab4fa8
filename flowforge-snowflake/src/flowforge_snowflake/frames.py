"""DataFrames of Snowpark: lazy, computed in Snowflake. Snowpark is imported only by models that ask for it."""

from __future__ import annotations

import sys
from typing import Any

from snowflake.connector import SnowflakeConnection

from flowforge.contract import Dialect, TableOptions
from flowforge.values import Relation
from flowforge_snowflake.options import is_transient

KIND = "snowpark"


def frame_of(connection: SnowflakeConnection, select: str) -> Any:
    """A frame on *connection*; nothing is computed.

    Raises
    ------
    ImportError
        When Snowpark is not installed.
    """
    from snowflake.snowpark import Session

    return Session.builder.configs({"connection": connection}).create().sql(select)


def is_frame(value: Any) -> bool:
    """Whether *value* is a frame of Snowpark; false where nobody has imported it."""
    module = sys.modules.get("snowflake.snowpark")
    return module is not None and isinstance(value, module.DataFrame)


def save(frame: Any, relation: Relation, dialect: Dialect, options: TableOptions, *, transient: bool) -> None:
    """Compute a frame into a new table."""
    parts = [dialect.quote(part) for part in (relation.database, relation.schema, relation.name) if part]
    frame.write.save_as_table(
        parts,
        mode="errorifexists",
        table_type="transient" if is_transient(options, transient) else "",
        clustering_keys=[dialect.quote(name) for name in options.cluster_by] or None,
        data_retention_time=options.options.get("data_retention_time_in_days"),
    )
