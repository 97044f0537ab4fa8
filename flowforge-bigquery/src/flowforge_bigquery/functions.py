"""How BigQuery writes the portable functions. Texts only; what they mean stands in the contract."""

from __future__ import annotations

from collections.abc import Mapping

from flowforge.contract.functions import FunctionText

_TEXT = "TRIM(CAST({expr} AS STRING))"
_WHOLE = f"SAFE_CAST(REGEXP_EXTRACT({_TEXT}, r'^([+-]?[0-9]{{{{1,255}}}})(?:[.]0*)?$') AS INT64)"
_DIGITS = "(?:[0-9]{{1,255}}(?:[.][0-9]{{0,255}})?|[.][0-9]{{1,255}})"
_DECIMAL = f"REGEXP_EXTRACT({_TEXT}, r'^[+-]?{_DIGITS}$')"
# BigQuery refuses digits in the type of a cast. Rounding twice would be another rounding, so digits that decide nothing
# are cut off, and the wider type is the first.
_ROUNDED = f"ROUND(SAFE_CAST(REGEXP_REPLACE({_DECIMAL}, r'([.][0-9]{{{{{{kept}}}}}})[0-9]+', r'\\1') AS BIGNUMERIC), {{scale}})"
UNLIMITED = f"SAFE_CAST({_ROUNDED} AS {{decimal}})"
"""``safe_cast.numeric`` for as many digits as the type has: it needs no limit."""
_LIMIT = "BIGNUMERIC '{limit}'"
_FLOAT = f"REGEXP_EXTRACT({_TEXT}, r'^[+-]?{_DIGITS}(?:[eE][+-]?[0-9]{{{{1,3}}}})?$')"
_DATE = "(?:[1-9][0-9]{{3}}|0[1-9][0-9]{{2}}|00[1-9][0-9]|000[1-9])-[0-9]{{2}}-[0-9]{{2}}"
_TIME = "[ T](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]{{1,6}})?)?"
_ZONE = "(?:Z|[+]00(?::?00)?)?"
_MOMENT = f"REGEXP_REPLACE({_TEXT}, r'([.][0-9]{{{{6}}}})[0-9]+', r'\\1')"  # digits behind the microseconds are cut
# Seconds may be missing in a text, but not in one that is to be cast.
_SECONDS = (
    f"REGEXP_REPLACE(REGEXP_EXTRACT({_MOMENT}, r'^({_DATE}(?:{_TIME})?){_ZONE}$'), "
    "r'^(.{{10}}[ T][0-9:]{{5}})$', r'\\1:00')"
)
_INFINITE = "CAST('inf' AS FLOAT64)"

FUNCTIONS: Mapping[str, FunctionText] = {
    "date_trunc": "DATETIME_TRUNC(CAST({expr} AS DATETIME), {part})",
    "date_trunc.week": "DATETIME_TRUNC(CAST({expr} AS DATETIME), ISOWEEK)",
    "date_add": "DATETIME_ADD(CAST({expr} AS DATETIME), INTERVAL CAST({amount} AS INT64) {part})",
    "date_diff": "DATETIME_DIFF(CAST({end} AS DATETIME), CAST({start} AS DATETIME), {part})",
    "date_diff.week": "DATETIME_DIFF(CAST({end} AS DATETIME), CAST({start} AS DATETIME), ISOWEEK)",
    "current_timestamp": "DATETIME(CURRENT_TIMESTAMP(), 'UTC')",
    "type.string": "STRING",
    "type.integer": "INT64",
    "type.bigint": "INT64",
    "type.double": "FLOAT64",
    "type.numeric": "{decimal}({precision},{scale})",
    "type.boolean": "BOOL",
    "type.date": "DATE",
    "type.timestamp": "DATETIME",
    "text": "CAST({expr} AS STRING)",
    "text.date": "CAST(CAST({expr} AS DATE) AS STRING)",
    "text.timestamp": "(CAST(CAST({expr} AS DATE) AS STRING) || "
    "FORMAT_DATETIME(' %H:%M:%E6S', CAST({expr} AS DATETIME)))",
    "text.numeric": "FORMAT('%.{scale}f', ROUND(CAST({expr} AS BIGNUMERIC), {scale}))",
    "md5": "TO_HEX(MD5({text}))",
    "string_agg": "STRING_AGG(CAST({expr} AS STRING), {separator} ORDER BY {order_by})",
    "bool_or": "LOGICAL_OR({expr})",
    "bool_and": "LOGICAL_AND({expr})",
    "safe_cast": "SAFE_CAST({expr} AS {type})",
    "safe_cast.string": "CAST({expr} AS STRING)",
    "safe_cast.integer": f"NULLIF(NULLIF(GREATEST(LEAST({_WHOLE}, 2147483648), -2147483649), 2147483648), -2147483649)",
    "safe_cast.bigint": _WHOLE,
    "safe_cast.double": f"NULLIF(NULLIF(SAFE_CAST({_FLOAT} AS FLOAT64), {_INFINITE}), -{_INFINITE})",
    "safe_cast.numeric": f"SAFE_CAST(NULLIF(NULLIF(GREATEST(LEAST({_ROUNDED}, {_LIMIT}), -{_LIMIT}), {_LIMIT}), -{_LIMIT})"
    " AS {decimal})",
    "safe_cast.boolean": f"CASE WHEN LOWER({_TEXT}) IN ('true', 't', 'yes', 'y', '1') THEN TRUE "
    f"WHEN LOWER({_TEXT}) IN ('false', 'f', 'no', 'n', '0') THEN FALSE END",
    "safe_cast.date": f"SAFE_CAST(REGEXP_EXTRACT({_MOMENT}, r'^({_DATE})(?:{_TIME})?{_ZONE}$') AS DATE)",
    "safe_cast.timestamp": f"SAFE_CAST({_SECONDS} AS DATETIME)",
}
