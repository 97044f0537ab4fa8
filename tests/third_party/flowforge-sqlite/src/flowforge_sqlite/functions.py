"""How SQLite writes the portable functions. Dates and timestamps are texts in the form in which they are stored.

SQLite has no regular expressions, so casts take a text apart step by step, in subqueries that name each step once.
That is why an aggregate cannot be their argument: SQLite has no aggregates of outer queries.
"""

from __future__ import annotations

from collections.abc import Mapping

from flowforge.contract import unsupported
from flowforge.contract.functions import FunctionText

# SQLite's functions would round fractions of a second, so they are cut off and put back as text.
_SECOND = "substr(CAST({expr} AS TEXT), 1, 19)"


def _of(field: str, text: str) -> str:
    return text.replace("{expr}", f"{{{field}}}")


def _trunc(pattern: str) -> str:
    return f"strftime('{pattern}.000000', {_SECOND})"


_QUARTER = (
    f"(strftime('%Y-', {_SECOND}) || printf('%02d', (CAST(strftime('%m', {_SECOND}) AS INTEGER) - 1) / 3 * 3 + 1) "
    "|| '-01 00:00:00.000000')"
)
_WEEK = f"date({_SECOND}, 'weekday 0', '-6 days') || ' 00:00:00.000000'"
_TRUNC = {
    "second": _trunc("%Y-%m-%d %H:%M:%S"),
    "minute": _trunc("%Y-%m-%d %H:%M:00"),
    "hour": _trunc("%Y-%m-%d %H:00:00"),
    "day": _trunc("%Y-%m-%d 00:00:00"),
    "week": f"({_WEEK})",
    "month": _trunc("%Y-%m-01 00:00:00"),
    "quarter": _QUARTER,
    "year": _trunc("%Y-01-01 00:00:00"),
}

_MOMENT = (
    "(SELECT ff_1 || substr(ff_2 || substr('.000000', length(ff_2) + 1), 1, 7) "
    "FROM (SELECT datetime(substr(ff_0, 1, 19){shift}) AS ff_1, substr(ff_0, 20) AS ff_2 "
    "FROM (SELECT CAST({expr} AS TEXT) AS ff_0)))"
)
"""A timestamp with six digits of a second; ``{shift}`` stands for modifiers of SQLite's."""


def _later(days: str) -> str:
    return _MOMENT.replace("{shift}", f", ({days}) || ' seconds'")


def _months(factor: int) -> str:
    """So many months later: from the first of the month on, because SQLite runs over into the next one."""
    return (
        "(SELECT date(ff_m, '+' || (min(CAST(strftime('%d', ff_s) AS INTEGER), "
        "CAST(strftime('%d', ff_m, '+1 month', '-1 day') AS INTEGER)) - 1) || ' days') || strftime(' %H:%M:%S', ff_s) || "
        "substr(ff_f || substr('.000000', length(ff_f) + 1), 1, 7) "
        f"FROM (SELECT ff_s, ff_f, date(ff_s, 'start of month', (ff_n * {factor}) || ' months') AS ff_m "
        "FROM (SELECT substr(ff_0, 1, 19) AS ff_s, substr(ff_0, 20) AS ff_f, ff_n "
        "FROM (SELECT CAST({expr} AS TEXT) AS ff_0, CAST({amount} AS INTEGER) AS ff_n))))"
    )


def _difference(part: str, seconds: int) -> str:
    start, end = (f"CAST(strftime('%s', {_of(side, _TRUNC[part])}) AS INTEGER)" for side in ("start", "end"))
    return f"(({end} - {start}) / {seconds})"


def _calendar(text: str) -> str:
    return f"(({_of('end', text)}) - ({_of('start', text)}))"


_YEAR = f"CAST(strftime('%Y', {_SECOND}) AS INTEGER)"
_MONTH = f"CAST(strftime('%m', {_SECOND}) AS INTEGER)"


def _whole(largest: str, smallest: str) -> str:
    """Whole numbers up to *largest*, and of the negative ones down to minus *smallest*."""
    return (
        "(SELECT CASE WHEN ff_w <> '' AND length(ff_w) <= 255 AND ff_w NOT GLOB '*[^0-9]*' AND ff_z NOT GLOB '*[^0]*' "
        f"AND (length(ff_d) < {len(largest)} OR (length(ff_d) = {len(largest)} "
        f"AND ff_d <= CASE WHEN ff_n THEN '{smallest}' ELSE '{largest}' END)) "
        "THEN CAST(CASE WHEN ff_n THEN '-' ELSE '' END || ff_w AS INTEGER) END "
        "FROM (SELECT ff_n, ff_w, ff_z, ltrim(ff_w, '0') AS ff_d FROM (SELECT ff_n, "
        "CASE WHEN ff_p > 0 THEN substr(ff_s, 1, ff_p - 1) ELSE ff_s END AS ff_w, "
        "CASE WHEN ff_p > 0 THEN substr(ff_s, ff_p + 1) ELSE '' END AS ff_z "
        "FROM (SELECT ff_s, ff_n, instr(ff_s, '.') AS ff_p FROM (SELECT ff_v GLOB '-*' AS ff_n, "
        "CASE WHEN ff_v GLOB '[+-]*' THEN substr(ff_v, 2) ELSE ff_v END AS ff_s "
        "FROM (SELECT trim(CAST({expr} AS TEXT)) AS ff_v))))))"
    )


_CLOCK = "[ T][0-2][0-9]:[0-5][0-9]"


def _when(result: str) -> str:
    """*result* of the day ``ff_d`` and the clock ``ff_t``, when both are well written."""
    return (
        f"(SELECT CASE WHEN ff_d GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' AND date(ff_d, '+0 days') = ff_d "
        "AND ff_d > '0001' AND (ff_t = '' OR substr(ff_t, 2, 2) < '24') "
        f"AND (ff_t = '' OR ff_t GLOB '{_CLOCK}' OR (substr(ff_t, 1, 9) GLOB '{_CLOCK}:[0-5][0-9]' "
        "AND (length(ff_t) = 9 OR (ff_t GLOB '*.[0-9]*' AND substr(ff_t, 10, 1) = '.' "
        "AND substr(ff_t, 11) NOT GLOB '*[^0-9]*')))) "
        f"THEN {result} END "
        "FROM (SELECT ff_d, CASE WHEN ff_r GLOB '*Z' THEN substr(ff_r, 1, length(ff_r) - 1) "
        "WHEN ff_r GLOB '*+00:00' THEN substr(ff_r, 1, length(ff_r) - 6) "
        "WHEN ff_r GLOB '*+0000' THEN substr(ff_r, 1, length(ff_r) - 5) "
        "WHEN ff_r GLOB '*+00' THEN substr(ff_r, 1, length(ff_r) - 3) ELSE ff_r END AS ff_t "
        "FROM (SELECT substr(ff_v, 1, 10) AS ff_d, substr(ff_v, 11) AS ff_r "
        "FROM (SELECT trim(CAST({expr} AS TEXT)) AS ff_v))))"
    )


_FLAG = "CASE WHEN {expr} THEN 1 WHEN NOT {expr} THEN 0 END"
_NO_DECIMALS = unsupported("numbers with a fraction are binary floating point")

FUNCTIONS: Mapping[str, FunctionText] = {
    **{f"date_trunc.{part}": text for part, text in _TRUNC.items()},
    **{
        f"date_add.{part}": _later(f"CAST({{amount}} AS INTEGER) * {seconds}")
        for part, seconds in (("second", 1), ("minute", 60), ("hour", 3600), ("day", 86400), ("week", 604800))
    },
    **{f"date_add.{part}": _months(factor) for part, factor in (("month", 1), ("quarter", 3), ("year", 12))},
    **{
        f"date_diff.{part}": _difference(part, seconds)
        for part, seconds in (("second", 1), ("minute", 60), ("hour", 3600), ("day", 86400), ("week", 604800))
    },
    "date_diff.month": _calendar(f"{_YEAR} * 12 + {_MONTH}"),
    "date_diff.quarter": _calendar(f"{_YEAR} * 4 + ({_MONTH} + 2) / 3"),
    "date_diff.year": _calendar(_YEAR),
    "current_timestamp": "(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000')",
    "type.string": "TEXT",
    "type.double": "REAL",
    "type.boolean": "INTEGER",
    "type.date": "TEXT",
    "type.timestamp": "TEXT",
    "text": "CAST({expr} AS TEXT)",
    "text.date": "date(CAST({expr} AS TEXT))",
    "text.timestamp": _MOMENT.replace("{shift}", ""),
    "text.numeric": _NO_DECIMALS,
    "md5": unsupported("SQLite has no hash functions"),
    "string_agg": unsupported("its aggregates have no order before SQLite 3.44"),
    "bool_or": f"MAX({_FLAG})",
    "bool_and": f"MIN({_FLAG})",
    "safe_cast": unsupported("a cast never fails in SQLite; portable types can be cast"),
    "safe_cast.string": "CAST({expr} AS TEXT)",
    "safe_cast.integer": _whole("2147483647", "2147483648"),
    "safe_cast.bigint": _whole("9223372036854775807", "9223372036854775808"),
    "safe_cast.double": unsupported("SQLite reads numbers with a fraction only about exactly"),
    "safe_cast.numeric": _NO_DECIMALS,
    "safe_cast.boolean": "CASE WHEN lower(trim(CAST({expr} AS TEXT))) IN ('true', 't', 'yes', 'y', '1') THEN TRUE "
    "WHEN lower(trim(CAST({expr} AS TEXT))) IN ('false', 'f', 'no', 'n', '0') THEN FALSE END",
    "safe_cast.date": _when("ff_d"),
    "safe_cast.timestamp": _when(
        "ff_d || CASE WHEN ff_t = '' THEN ' 00:00:00' WHEN length(ff_t) = 6 THEN ' ' || substr(ff_t, 2) || ':00' "
        "ELSE ' ' || substr(ff_t, 2, 8) END || "
        "substr(substr(ff_t, 10) || substr('.000000', length(substr(ff_t, 10)) + 1), 1, 7)"
    ),
}
