"""How Snowflake writes the portable functions. Texts only; what they mean stands in the contract.

Snowflake's regular expressions are POSIX: there are no groups that do not capture, so what is wanted is the first one.
GREATEST and LEAST give NULL for NULL, so a bound that is one too far stands for what is too large, and NULLIF removes it.
"""

from __future__ import annotations

from collections.abc import Mapping

from flowforge.contract.functions import FunctionText

_TEXT = "TRIM(CAST({expr} AS VARCHAR))"
_DIGITS = "([0-9]{{1,255}}([.][0-9]{{0,255}})?|[.][0-9]{{1,255}})"
_DATE = "([1-9][0-9]{{3}}|0[1-9][0-9]{{2}}|00[1-9][0-9]|000[1-9])-[0-9]{{2}}-[0-9]{{2}}"
_TIME = "[ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{{1,6}})?)?"
_ZONE = "(Z|[+]00(:?00)?)?"
_MOMENT = f"REGEXP_REPLACE({_TEXT}, '([.][0-9]{{{{6}}}})[0-9]+', '\\\\1')"  # digits behind the microseconds are cut


def _first_group(subject: str, pattern: str) -> str:
    return f"REGEXP_SUBSTR({subject}, '{pattern}', 1, 1, 'e', 1)"


_WHOLE = f"TRY_CAST({_first_group(_TEXT, '^([+-]?[0-9]{{1,255}})([.]0*)?$')} AS NUMBER(38,0))"
_DECIMAL = _first_group(_TEXT, f"^([+-]?{_DIGITS})$")
_FLOAT = _first_group(_TEXT, f"^([+-]?{_DIGITS}([eE][+-]?[0-9]{{{{1,3}}}})?)$")


def _bounded(number: str, below: str, above: str) -> str:
    """*number*, or NULL when it is not between the two."""
    return f"CAST(NULLIF(NULLIF(LEAST(GREATEST({number}, {below}), {above}), {below}), {above}) AS BIGINT)"


FUNCTIONS: Mapping[str, FunctionText] = {
    "date_trunc": "DATE_TRUNC('{part}', CAST({expr} AS TIMESTAMP_NTZ))",
    "date_add": "DATEADD({part}, CAST({amount} AS INTEGER), CAST({expr} AS TIMESTAMP_NTZ))",
    "date_diff": "DATEDIFF({part}, CAST({start} AS TIMESTAMP_NTZ), CAST({end} AS TIMESTAMP_NTZ))",
    "date_diff.week": "CAST(DATEDIFF(day, DATE_TRUNC('week', CAST({start} AS TIMESTAMP_NTZ)), "
    "DATE_TRUNC('week', CAST({end} AS TIMESTAMP_NTZ))) / 7 AS BIGINT)",
    "current_timestamp": "CAST(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()) AS TIMESTAMP_NTZ)",
    "type.double": "FLOAT",
    "type.numeric": "NUMBER({precision},{scale})",
    "type.timestamp": "TIMESTAMP_NTZ",
    "text.date": "TO_CHAR(CAST({expr} AS DATE), 'YYYY-MM-DD')",
    "text.timestamp": "TO_CHAR(CAST({expr} AS TIMESTAMP_NTZ), 'YYYY-MM-DD HH24:MI:SS.FF6')",
    "text.numeric": "CAST(CAST({expr} AS NUMBER({precision},{scale})) AS VARCHAR)",
    "md5": "MD5({text})",
    # LISTAGG of nothing is an empty text.
    "string_agg": "CASE WHEN COUNT({expr}) > 0 THEN "
    "LISTAGG(CAST({expr} AS VARCHAR), {separator}) WITHIN GROUP (ORDER BY {order_by}) END",
    "bool_or": "BOOLOR_AGG({expr})",
    "bool_and": "BOOLAND_AGG({expr})",
    "safe_cast": "TRY_CAST(CAST({expr} AS VARCHAR) AS {type})",
    "safe_cast.string": "CAST({expr} AS VARCHAR)",
    "safe_cast.integer": _bounded(_WHOLE, "-2147483649", "2147483648"),
    "safe_cast.bigint": _bounded(_WHOLE, "-9223372036854775809", "9223372036854775808"),
    "safe_cast.double": f"NULLIF(NULLIF(TRY_CAST({_FLOAT} AS FLOAT), CAST('inf' AS FLOAT)), CAST('-inf' AS FLOAT))",
    "safe_cast.numeric": f"TRY_CAST({_DECIMAL} AS NUMBER({{precision}},{{scale}}))",
    "safe_cast.boolean": f"CASE WHEN LOWER({_TEXT}) IN ('true', 't', 'yes', 'y', '1') THEN TRUE "
    f"WHEN LOWER({_TEXT}) IN ('false', 'f', 'no', 'n', '0') THEN FALSE END",
    "safe_cast.date": f"TRY_CAST({_first_group(_MOMENT, f'^({_DATE})({_TIME})?{_ZONE}$')} AS DATE)",
    "safe_cast.timestamp": f"TRY_CAST({_first_group(_MOMENT, f'^({_DATE}({_TIME})?){_ZONE}$')} AS TIMESTAMP_NTZ)",
}
