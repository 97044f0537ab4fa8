"""The SQL that sums up the rows of a relation so that no two different ones look alike. Pure; needs no service.

Each row becomes JSON, in which all types but those named here have exact values, and is hashed. Sums do not depend on
the order of rows, and doubled rows count; the second one is another function of the same rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

_INEXACT = ("GEOGRAPHY", "INTERVAL", "RANGE")


def summary(source: str, fields: Iterable[Any]) -> str | None:
    """A query of one row (count and two sums) over *source*; ``None``: a column's type cannot be hashed.

    Parameters
    ----------
    source:
        A relation, as it stands in SQL.
    """
    signs = []
    for field in fields:
        if _any(field, lambda one: one.field_type in _INEXACT):
            return None
        if field.field_type in ("FLOAT", "FLOAT64") and field.mode != "REPEATED":
            signs.append(f"IF(ff__t.`{field.name}` = 0, IEEE_DIVIDE(1, ff__t.`{field.name}`) < 0, NULL)")
        elif _any(field, lambda one: one.field_type in ("FLOAT", "FLOAT64")):
            return None  # the sign of a zero would be lost inside of it
    text = "TO_JSON_STRING(ff__t)"
    if signs:
        text = f"CONCAT({text}, TO_JSON_STRING([{', '.join(f'IFNULL({sign}, FALSE)' for sign in signs)}]))"
    rows = f"SELECT {text} AS ff__row FROM {source} AS ff__t"
    first, second = (
        f"CAST(SUM(CAST(FARM_FINGERPRINT({one}) AS NUMERIC)) AS STRING)"
        for one in ("ff__row", "CONCAT(ff__row, 'flowforge')")
    )
    return f"SELECT COUNT(*) AS n, {first} AS a, {second} AS b FROM ({rows}) AS ff__rows"


def _any(field: Any, test: Any) -> bool:
    return bool(test(field)) or any(_any(one, test) for one in field.fields or ())


def token(layout: str, count: int, *sums: str | None) -> str:
    """What stands for rows with these sums, in columns of this layout."""
    columns = hashlib.blake2b(layout.encode(), digest_size=8).hexdigest()
    return "-".join([columns, str(count), *(total or "0" for total in sums)])
