"""How DuckDB writes the portable functions. Texts only; what they mean stands in the contract."""

from __future__ import annotations

from collections.abc import Mapping

from flowforge.contract.functions import FunctionText

_TEXT = "trim(CAST({expr} AS VARCHAR))"
_WHOLE = f"regexp_extract({_TEXT}, '^([+-]?[0-9]{{{{1,255}}}})(?:[.]0*)?$', 1)"
_DIGITS = "(?:[0-9]{{1,255}}(?:[.][0-9]{{0,255}})?|[.][0-9]{{1,255}})"
_DECIMAL = f"regexp_extract({_TEXT}, '^[+-]?{_DIGITS}$')"
_FLOAT = f"regexp_extract({_TEXT}, '^[+-]?{_DIGITS}(?:[eE][+-]?[0-9]{{{{1,3}}}})?$')"
_DATE = "(?:[1-9][0-9]{{3}}|0[1-9][0-9]{{2}}|00[1-9][0-9]|000[1-9])-[0-9]{{2}}-[0-9]{{2}}"
_TIME = "[ T](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]{{1,6}})?)?"
_ZONE = "(?:Z|[+]00(?::?00)?)?"
_MOMENT = f"regexp_replace({_TEXT}, '([.][0-9]{{{{6}}}})[0-9]+', '\\1')"  # digits behind the microseconds are cut

FUNCTIONS: Mapping[str, FunctionText] = {
    "date_trunc": "date_trunc('{part}', CAST({expr} AS TIMESTAMP))",
    "date_add": "(CAST({expr} AS TIMESTAMP) + INTERVAL (CAST({amount} AS INTEGER)) {part})",
    "date_diff": "date_diff('{part}', CAST({start} AS TIMESTAMP), CAST({end} AS TIMESTAMP))",
    # DuckDB counts weeks of seven days here, and not Mondays.
    "date_diff.week": "(date_diff('day', date_trunc('week', CAST({start} AS TIMESTAMP)), "
    "date_trunc('week', CAST({end} AS TIMESTAMP))) // 7)",
    "current_timestamp": "CAST(current_timestamp AT TIME ZONE 'UTC' AS TIMESTAMP)",
    "type.double": "DOUBLE",
    "text.date": "strftime(CAST({expr} AS DATE), '%Y-%m-%d')",
    "text.timestamp": "strftime(CAST({expr} AS TIMESTAMP), '%Y-%m-%d %H:%M:%S.%f')",
    "md5": "md5({text})",
    "string_agg": "string_agg(CAST({expr} AS VARCHAR), {separator} ORDER BY {order_by})",
    "bool_or": "bool_or({expr})",
    "bool_and": "bool_and({expr})",
    "safe_cast": "TRY_CAST({expr} AS {type})",
    "safe_cast.string": "CAST({expr} AS VARCHAR)",
    "safe_cast.integer": f"TRY_CAST({_WHOLE} AS INTEGER)",
    "safe_cast.bigint": f"TRY_CAST({_WHOLE} AS BIGINT)",
    "safe_cast.double": f"NULLIF(NULLIF(TRY_CAST({_FLOAT} AS DOUBLE), CAST('inf' AS DOUBLE)), CAST('-inf' AS DOUBLE))",
    "safe_cast.numeric": f"TRY_CAST({_DECIMAL} AS DECIMAL({{precision}},{{scale}}))",
    "safe_cast.boolean": f"CASE WHEN lower({_TEXT}) IN ('true', 't', 'yes', 'y', '1') THEN TRUE "
    f"WHEN lower({_TEXT}) IN ('false', 'f', 'no', 'n', '0') THEN FALSE END",
    "safe_cast.date": f"TRY_CAST(regexp_extract({_MOMENT}, '^({_DATE})(?:{_TIME})?{_ZONE}$', 1) AS DATE)",
    "safe_cast.timestamp": f"TRY_CAST(regexp_extract({_MOMENT}, '^({_DATE}(?:{_TIME})?){_ZONE}$', 1) AS TIMESTAMP)",
}
