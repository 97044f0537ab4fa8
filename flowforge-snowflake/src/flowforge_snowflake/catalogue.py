"""What Snowflake's catalogue is asked, and what its answers mean. Knows no connection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flowforge.values import RelationKind
from flowforge_snowflake.dialect import exactly, text

PAGE = 10_000
"""More rows than this no SHOW gives at once."""
_WITHOUT_LIMIT = (None, 16_777_216, 8_388_608)  # what VARCHAR and BINARY mean where no length is written
_OTHER = re.compile(r"[^A-Za-z0-9]", re.DOTALL)


def show_objects(schema: str, name: str | None = None, after: str | None = None) -> str:
    """Tables and views of a schema, which is written as SQL; a *name* finds at least the one that is called so.

    In its pattern every character that might mean something stands for any one: others are sorted out afterwards.
    """
    like = "" if name is None else f" LIKE '{_OTHER.sub('_', name)}'"
    page = f" LIMIT {PAGE}" + (f" FROM {text(after)}" if after is not None else "")
    return f"SHOW OBJECTS{like} IN SCHEMA {schema}{page}"


def kind(row: Mapping[str, Any]) -> RelationKind | None:
    """What a row of :func:`show_objects` speaks of; ``None`` for what belongs to one session only."""
    word = str(row["kind"]).upper().replace("_", " ")
    if word.startswith("TEMPORARY"):
        return None
    return {"VIEW": RelationKind.VIEW, "MATERIALIZED VIEW": RelationKind.MATERIALIZED_VIEW}.get(
        word, RelationKind.TABLE
    )


def columns(database: str, schema: str, name: str | None = None) -> str:
    """Columns with their types, of one relation or of all in a schema, in order."""
    one = "" if name is None else f" AND table_name = {text(name)}"
    return (
        "SELECT table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, comment"
        f" FROM {exactly(database)}.INFORMATION_SCHEMA.COLUMNS WHERE table_schema = {text(schema)}{one}"
        " ORDER BY table_name, ordinal_position"
    )


def layouts(rows: Iterable[Sequence[Any]]) -> dict[str, str]:
    """The answer to :func:`columns` as one text for each relation."""
    found: dict[str, list[str]] = {}
    for table, column, type_, length, precision, scale, _ in rows:
        size = f"({precision},{scale})" if type_ == "NUMBER" else "" if length in _WITHOUT_LIMIT else f"({length})"
        found.setdefault(table, []).append(f"{exactly(column)} {type_}{size}")
    return {table: ", ".join(parts) for table, parts in found.items()}


def table(database: str, schema: str, name: str) -> str:
    """What is known of one relation as a whole."""
    return (
        "SELECT table_type, comment, last_altered, row_count, bytes"
        f" FROM {exactly(database)}.INFORMATION_SCHEMA.TABLES"
        f" WHERE table_schema = {text(schema)} AND table_name = {text(name)}"
    )


def running(database: str, run_ids: Iterable[str]) -> str:
    """The queries that runs have left working on the server."""
    tags = " OR ".join(f"STARTSWITH(query_tag, {text(f'flowforge/{run_id}/')})" for run_id in run_ids)
    return (
        f"SELECT query_id FROM TABLE({exactly(database)}.INFORMATION_SCHEMA.QUERY_HISTORY_BY_USER(RESULT_LIMIT => 10000))"
        f" WHERE execution_status IN ('RUNNING', 'QUEUED', 'BLOCKED', 'RESUMING_WAREHOUSE') AND ({tags})"
    )
