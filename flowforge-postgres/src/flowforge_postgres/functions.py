"""How PostgreSQL writes the portable functions. Texts only; what they mean stands in the contract.

There is no cast that gives NULL before PostgreSQL 16, so a regular expression admits exactly what a cast takes, and
what is too large for a type is recognised by a bound that is one too far: GREATEST and LEAST pass over NULL, so that a
NULL comes out as the bound and NULLIF makes it NULL again.
"""

from __future__ import annotations

from collections.abc import Mapping

from flowforge.contract import unsupported
from flowforge.contract.functions import FunctionText

_TEXT = "btrim(CAST({expr} AS text))"
_WHOLE = f"CAST(substring({_TEXT}, '^([+-]?[0-9]{{{{1,255}}}})(?:[.]0*)?$') AS numeric)"
_DIGITS = "(?:[0-9]{{1,255}}(?:[.][0-9]{{0,255}})?|[.][0-9]{{1,255}})"
_DECIMAL = f"CAST(substring({_TEXT}, '^[+-]?{_DIGITS}$') AS numeric)"
_FLOAT = f"CAST(substring({_TEXT}, '^[+-]?{_DIGITS}(?:[eE][+-]?[0-9]{{{{1,3}}}})?$') AS numeric)"
_LARGEST_FLOAT = "1.7976931348623158e308"

_DAYS = (
    "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8])"
)
_LEAP_DAY = "(?:[0-9]{{2}}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29"
_DATE = f"(?!0000)(?:[0-9]{{{{4}}}}-(?:{_DAYS})|{_LEAP_DAY})"
_TIME = "[ T](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]{{1,6}})?)?"
_ZONE = "(?:Z|[+]00(?::?00)?)?"
_MOMENT = f"regexp_replace({_TEXT}, '([.][0-9]{{{{6}}}})[0-9]+', '\\1')"  # digits behind the microseconds are cut


def _bounded(number: str, below: str, above: str) -> str:
    """*number*, or NULL when it is not between the two."""
    return f"NULLIF(NULLIF(LEAST(GREATEST({number}, {below}), {above}), {below}), {above})"


def _seconds(part: str) -> str:
    return (
        f"EXTRACT(EPOCH FROM date_trunc('{part}', CAST({{end}} AS timestamp)) - "
        f"date_trunc('{part}', CAST({{start}} AS timestamp)))"
    )


def _counted(*parts: tuple[int, str]) -> str:
    """The difference in calendar parts; *parts* are factors and what EXTRACT calls them."""

    def number(side: str) -> str:
        return " + ".join(
            f"{f'{factor} * ' if factor > 1 else ''}EXTRACT({part} FROM CAST({{{side}}} AS timestamp))"
            for factor, part in parts
        )

    return f"CAST(({number('end')}) - ({number('start')}) AS bigint)"


FUNCTIONS: Mapping[str, FunctionText] = {
    "date_trunc": "date_trunc('{part}', CAST({expr} AS timestamp))",
    "date_add": "(CAST({expr} AS timestamp) + CAST({amount} AS integer) * INTERVAL '1 {part}')",
    "date_add.quarter": "(CAST({expr} AS timestamp) + CAST({amount} AS integer) * INTERVAL '3 month')",
    **{
        f"date_diff.{part}": f"CAST({_seconds(part)} / {length} AS bigint)"
        for part, length in (("second", 1), ("minute", 60), ("hour", 3600), ("day", 86400), ("week", 604800))
    },
    "date_diff.month": _counted((12, "YEAR"), (1, "MONTH")),
    "date_diff.quarter": _counted((4, "YEAR"), (1, "QUARTER")),
    "date_diff.year": _counted((1, "YEAR")),
    "current_timestamp": "(CURRENT_TIMESTAMP AT TIME ZONE 'UTC')",
    "type.string": "text",
    "type.integer": "integer",
    "type.bigint": "bigint",
    "type.double": "double precision",
    "type.numeric": "numeric({precision},{scale})",
    "type.boolean": "boolean",
    "type.date": "date",
    "type.timestamp": "timestamp",
    "text": "CAST({expr} AS text)",
    "text.date": "to_char(CAST({expr} AS date), 'YYYY-MM-DD')",
    "text.timestamp": "to_char(CAST({expr} AS timestamp), 'YYYY-MM-DD HH24:MI:SS.US')",
    "text.numeric": "CAST(CAST({expr} AS numeric({precision},{scale})) AS text)",
    "md5": "md5(convert_to({text}, 'UTF8'))",
    "string_agg": "string_agg(CAST({expr} AS text), {separator} ORDER BY {order_by})",
    "bool_or": "bool_or({expr})",
    "bool_and": "bool_and({expr})",
    "safe_cast": unsupported("a cast that fails is an error in PostgreSQL; portable types can be cast"),
    "safe_cast.string": "CAST({expr} AS text)",
    "safe_cast.integer": f"CAST({_bounded(_WHOLE, '-2147483649', '2147483648')} AS integer)",
    "safe_cast.bigint": f"CAST({_bounded(_WHOLE, '-9223372036854775809', '9223372036854775808')} AS bigint)",
    # Rounded, because what is nearer to 0 than the smallest number would be an error and not 0.
    "safe_cast.double": f"CAST({_bounded(f'round({_FLOAT}, 323)', f'-{_LARGEST_FLOAT}', _LARGEST_FLOAT)} "
    "AS double precision)",
    "safe_cast.numeric": f"CAST({_bounded(f'round({_DECIMAL}, {{scale}})', '-{limit}', '{limit}')} "
    "AS numeric({precision},{scale}))",
    "safe_cast.boolean": f"CASE WHEN lower({_TEXT}) IN ('true', 't', 'yes', 'y', '1') THEN TRUE "
    f"WHEN lower({_TEXT}) IN ('false', 'f', 'no', 'n', '0') THEN FALSE END",
    "safe_cast.date": f"CAST(substring({_MOMENT}, '^({_DATE})(?:{_TIME})?{_ZONE}$') AS date)",
    "safe_cast.timestamp": f"CAST(substring({_MOMENT}, '^({_DATE}(?:{_TIME})?){_ZONE}$') AS timestamp)",
}
