"""Formats of dates and times, which dialects spell in three ways.

The translator holds them as ``strftime`` does. It copies what it cannot translate, so such a format would give other
texts, without an error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

_CODE = re.compile(r"(%[A-Za-z%])(?:strict)?")
"""The translator marks codes of formats that take no shorter numbers."""
_SAFE = frozenset({"%Y", "%m", "%d", "%H", "%M", "%S", "%j"})
_LETTER = re.compile(r"[A-Za-z\"%]")


def unsafe_format(given: exp.Expr | None) -> str | None:
    """What of a format another dialect may read differently, in words; ``None``: nothing.

    Parameters
    ----------
    given:
        The format, as the translator holds it.
    """
    if given is None:
        return None
    if not given.is_string:
        return "a format that is computed"
    text: str = given.this
    for code in _CODE.findall(text):
        if code not in _SAFE:
            return f"the part {code} of a format"
    if _LETTER.search(_CODE.sub("", text)):
        return f"letters that stand for themselves in the format {text!r}"
    return None
