"""What a profile may say about the engine ``plain``."""

from __future__ import annotations

import attrs

from flowforge.contract import setting


@attrs.frozen(kw_only=True)
class PlainSettings:
    """One file."""

    path: str = setting(env="FF_PLAIN_PATH", path=True, help="The database file, relative to the project folder.")
