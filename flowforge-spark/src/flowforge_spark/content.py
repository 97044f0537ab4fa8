"""A token for the rows of a relation, whatever their order: their number, and two sums of 64-bit hashes."""

from __future__ import annotations

import hashlib
from typing import Any

from flowforge_spark.dialect import exactly

_EXACT = ("boolean", "byte", "short", "integer", "long", "string", "double", "float", "decimal", "date")
"""Types whose values JSON tells exactly; of timestamps it loses digits."""
_PLAIN = (*_EXACT, "binary", "timestamp", "timestamp_ntz")
_AS_TEXT = ("double", "float", "decimal")


def content_query(fields: Any, rendered: str) -> str | None:
    """The query of the number and the sums; ``None``: a column's values have no exact hash.

    Spark's hash passes over NULL, and takes 0.0 and -0.0 for one, so both are told beside it.
    """
    values = []
    for field in fields:
        kind, name = field.dataType.typeName(), exactly(field.name)
        if kind in _PLAIN:
            values.append(f"CAST({name} AS STRING)" if kind in _AS_TEXT else name)
        elif _is_exact(field.dataType):
            values.append(f"to_json(struct({name}))")
        else:
            return None
        values.append(f"{name} IS NULL")
    listed = ", ".join(values)
    sums = ", ".join(
        f"CAST(COALESCE(SUM(CAST(xxhash64({salt}, {listed}) AS DECIMAL(38,0))), 0) AS STRING) AS s{salt}"
        for salt in (1, 2)
    )
    return f"SELECT COUNT(*) AS n, {sums} FROM {rendered}"


def _is_exact(type_: Any) -> bool:
    kind = type_.typeName()
    if kind == "array":
        return _is_exact(type_.elementType)
    if kind == "map":
        return bool(type_.keyType.typeName() == "string") and _is_exact(type_.valueType)
    if kind == "struct":
        return all(_is_exact(field.dataType) for field in type_)
    return kind in _EXACT


def content_token(layout: str, row: dict[str, Any]) -> str:
    """What :func:`content_query` found, in one word."""
    columns = hashlib.blake2b(layout.encode(), digest_size=8).hexdigest()
    return f"1.{columns}.{row['n']}.{row['s1']}.{row['s2']}"
