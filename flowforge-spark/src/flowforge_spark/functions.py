"""How Spark writes the portable functions. Texts only; what they mean stands in the contract.

Sessions are in UTC, so a way over TIMESTAMP, which Spark's functions take, and back to TIMESTAMP_NTZ changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from flowforge.contract.functions import FunctionText

_NTZ = "CAST({%s} AS TIMESTAMP_NTZ)"
_TEXT = "trim(CAST({expr} AS STRING))"
_WHOLE = f"regexp_extract({_TEXT}, '^([+-]?[0-9]{{{{1,255}}}})(?:[.]0*)?$', 1)"
_DIGITS = "(?:[0-9]{{1,255}}(?:[.][0-9]{{0,255}})?|[.][0-9]{{1,255}})"
_DECIMAL = f"regexp_extract({_TEXT}, '^([+-]?{_DIGITS})$', 1)"
_FLOAT = f"regexp_extract({_TEXT}, '^([+-]?{_DIGITS}(?:[eE][+-]?[0-9]{{{{1,3}}}})?)$', 1)"
_DATE = "(?:[1-9][0-9]{{3}}|0[1-9][0-9]{{2}}|00[1-9][0-9]|000[1-9])-[0-9]{{2}}-[0-9]{{2}}"
_CLOCK = "[ T](?:[01][0-9]|2[0-3]):[0-5][0-9]"
_ZONE = "(?:Z|[+]00(?::?00)?)?"
_DAY = f"regexp_extract({_TEXT}, '^({_DATE})(?:{_CLOCK}(?::[0-5][0-9](?:[.][0-9]+)?)?)?{_ZONE}$', 1)"
# Digits behind the microseconds are cut: such a text is found by the first pattern only.
_LONG = f"regexp_extract({_TEXT}, '^({_DATE}{_CLOCK}:[0-5][0-9][.][0-9]{{{{6}}}})[0-9]+{_ZONE}$', 1)"
_SHORT = f"regexp_extract({_TEXT}, '^({_DATE}(?:{_CLOCK}(?::[0-5][0-9](?:[.][0-9]{{{{1,6}}}})?)?)?){_ZONE}$', 1)"


def _truncated(field: str) -> str:
    return f"date_trunc('{{part}}', {_NTZ % field})"


FUNCTIONS: Mapping[str, FunctionText] = {
    "date_trunc": f"CAST({_truncated('expr')} AS TIMESTAMP_NTZ)",
    "date_add": f"CAST(timestampadd({{part}}, CAST({{amount}} AS INT), {_NTZ % 'expr'}) AS TIMESTAMP_NTZ)",
    "date_diff": f"CAST(timestampdiff({{part}}, {_truncated('start')}, {_truncated('end')}) AS BIGINT)",
    "current_timestamp": "CAST(current_timestamp() AS TIMESTAMP_NTZ)",
    "type.string": "STRING",
    "type.integer": "INT",
    "type.double": "DOUBLE",
    "type.timestamp": "TIMESTAMP_NTZ",
    "text": "CAST({expr} AS STRING)",
    "text.date": "date_format(CAST({expr} AS DATE), 'yyyy-MM-dd')",
    "text.timestamp": f"date_format({_NTZ % 'expr'}, 'yyyy-MM-dd HH:mm:ss.SSSSSS')",
    "text.numeric": "CAST(CAST({expr} AS DECIMAL({precision},{scale})) AS STRING)",
    "md5": "md5({text})",
    "string_agg": "listagg(CAST({expr} AS STRING), {separator}) WITHIN GROUP (ORDER BY {order_by})",
    "bool_or": "bool_or({expr})",
    "bool_and": "bool_and({expr})",
    "safe_cast": "TRY_CAST({expr} AS {type})",
    "safe_cast.string": "CAST({expr} AS STRING)",
    "safe_cast.integer": f"TRY_CAST({_WHOLE} AS INT)",
    "safe_cast.bigint": f"TRY_CAST({_WHOLE} AS BIGINT)",
    "safe_cast.double": f"NULLIF(NULLIF(TRY_CAST({_FLOAT} AS DOUBLE), DOUBLE('Infinity')), DOUBLE('-Infinity'))",
    "safe_cast.numeric": f"TRY_CAST({_DECIMAL} AS DECIMAL({{precision}},{{scale}}))",
    "safe_cast.boolean": f"CASE WHEN lower({_TEXT}) IN ('true', 't', 'yes', 'y', '1') THEN TRUE "
    f"WHEN lower({_TEXT}) IN ('false', 'f', 'no', 'n', '0') THEN FALSE END",
    "safe_cast.date": f"TRY_CAST({_DAY} AS DATE)",
    "safe_cast.timestamp": f"TRY_CAST(COALESCE(NULLIF({_LONG}, ''), {_SHORT}) AS TIMESTAMP_NTZ)",
}
