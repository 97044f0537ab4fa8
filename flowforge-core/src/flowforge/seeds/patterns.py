"""How values look as text: patterns shared by inference and declared types, and their use on Arrow arrays.

Knows only text and pyarrow's kernels. The patterns are written in the part of the syntax that Python's ``re`` and
Arrow's RE2 read alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?"
NEGATIVE_ZERO = r"-0(?:\.0+)?"
BOOLEANS = ("true|false", "TRUE|FALSE", "True|False")
YEAR = r"(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
DATE = YEAR + r"-[0-9]{2}-[0-9]{2}"
TIMESTAMP = DATE + r"[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
ZONE = r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)"
INSTANT = TIMESTAMP + ZONE


def matching(values: pa.Array, pattern: str) -> pa.BooleanArray:
    """For each text, whether *pattern* describes all of it; NULL stays NULL."""
    import pyarrow.compute as pc

    return pc.match_substring_regex(values, rf"\A(?:{pattern})\z")


def holding(values: pa.Array, text: str) -> pa.BooleanArray:
    """For each text, whether *text* is in it; NULL stays NULL."""
    import pyarrow.compute as pc

    return pc.match_substring(values, text)


def all_match(values: pa.Array, pattern: str) -> bool:
    """Whether *pattern* describes every text that is not NULL."""
    import pyarrow.compute as pc

    return pc.all(matching(values, pattern)).as_py() is not False
