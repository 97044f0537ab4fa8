"""What a profile may say about SQLite."""

from __future__ import annotations

import attrs

from flowforge.contract import setting


@attrs.frozen(kw_only=True)
class SQLiteSettings:
    """One file."""

    path: str = setting(env="FF_SQLITE_PATH", path=True, help="The database file, relative to the project folder.")
