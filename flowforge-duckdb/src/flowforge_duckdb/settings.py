"""What a profile may say about DuckDB. Knows no driver."""

from __future__ import annotations

from typing import Any

import attrs

from flowforge.contract import setting

MEMORY = ":memory:"
FRAME = "duckdb"
"""What a Python model calls DuckDB's own kind of frames."""


def _positive(instance: object, attribute: attrs.Attribute[Any], value: int | None) -> None:
    if value is not None and value < 1:
        raise ValueError(f"{attribute.name} must be at least 1, not {value}")


@attrs.frozen(kw_only=True)
class DuckDBSettings:
    """The settings of the engine ``duckdb``; all of them may be left out."""

    path: str = setting(
        default=MEMORY,
        env="FF_DUCKDB_PATH",
        path=True,
        help="The database file, relative to the project folder; ':memory:' keeps nothing.",
    )
    schema: str = setting(
        default="main",
        env="FF_DUCKDB_SCHEMA",
        aliases=("db_schema",),
        help="The schema of relations that name none.",
    )
    catalog: str | None = setting(
        default=None,
        env="FF_DUCKDB_CATALOG",
        help="DuckDB's name of the database, to be written in front of every relation.",
    )
    threads: int | None = setting(
        default=None,
        env="FF_DUCKDB_THREADS",
        validator=_positive,
        help="How many threads DuckDB itself may use.",
    )
    memory_limit: str | None = setting(
        default=None,
        env="FF_DUCKDB_MEMORY_LIMIT",
        help="How much memory DuckDB may use, such as '4GB'; what does not fit goes to disk.",
    )
    extensions: tuple[str, ...] = setting(
        default=(),
        help="Installed DuckDB extensions to load at the start.",
        affects_data=True,
    )


def database_name(path: str) -> str:
    """What DuckDB calls the database at *path*: the file's name up to its first dot, but for three reserved words."""
    if not path or path.startswith(MEMORY):
        return "memory"
    parts = [part for part in path.replace("\\", "/").rsplit("/", 1)[-1].split(".") if part]
    name = parts[0] if parts else ""
    return f"{name}_db" if name.lower() in ("main", "temp", "system") else name
