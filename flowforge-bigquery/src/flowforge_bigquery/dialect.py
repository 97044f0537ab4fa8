"""BigQuery's text rules: names, literals, column types. Pure; needs no service."""

from __future__ import annotations

import datetime as dt
import decimal
import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flowforge.contract import Dialect
from flowforge.contract.functions import write
from flowforge.errors import UnsupportedError
from flowforge.values import Relation
from flowforge_bigquery.functions import FUNCTIONS, UNLIMITED

if TYPE_CHECKING:
    import pyarrow as pa

_SIGNS_IN_COLUMNS = frozenset("&%=+:'<>#|")
_LONGEST_COLUMN = 300
_IN_NAMES = ("L", "M", "N", "Pc", "Pd", "Zs")
_PLACE = re.compile(r"[A-Za-z0-9_.:-]{1,1024}")
_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\x00"}
_ESCAPED = str.maketrans(_ESCAPES)
_ESCAPED_BUT_QUOTES = str.maketrans({sign: text for sign, text in _ESCAPES.items() if sign != "'"})
_PARAMETERS = re.compile(r"\(\s*\d+\s*(?:,\s*\d+\s*)?\)")
_DIGITS = re.compile(r"(?i)((?:BIG)?(?:NUMERIC|DECIMAL))\s*\(\s*\d+\s*(?:,\s*(\d+)\s*)?\)")
_IN_FRONT = {"NUMERIC": 29, "BIGNUMERIC": 38}  # digits in front of the point
_INT64 = range(-(2**63), 2**63)

_NAMED = {
    "bool": "BOOL",
    "null": "INT64",
    "date32[day]": "DATE",
    "date64[ms]": "DATE",
    "string": "STRING",
    "large_string": "STRING",
    "string_view": "STRING",
    "binary": "BYTES",
    "large_binary": "BYTES",
    "binary_view": "BYTES",
    "halffloat": "FLOAT64",
    "float": "FLOAT64",
    "double": "FLOAT64",
    "extension<arrow.json>": "JSON",
    "extension<arrow.uuid>": "STRING",
}


class BigQueryDialect(Dialect):
    """Names of datasets and tables differ by case, names of columns do not; all of them keep theirs."""

    name = "bigquery"
    sqlglot = "bigquery"
    functions = FUNCTIONS
    max_identifier_bytes = 1024

    def quote(self, name: str) -> str:
        """A column's name, or an alias, in backticks. Nothing in it needs an escape: what would, is no name."""
        wrong = _unfit(name, _SIGNS_IN_COLUMNS)
        if not name or wrong or len(name) > _LONGEST_COLUMN:
            reason = f"{wrong!r} is in it" if wrong else "it is longer than 300 letters" if name else "it is empty"
            raise UnsupportedError(
                f"{name[:60]!r} cannot be the name of a column in BigQuery: {reason}", help="choose another name"
            )
        return f"`{name}`"

    def render(self, relation: Relation) -> str:
        """Project, dataset and table, each in backticks."""
        parts = [_place(part) for part in (relation.database, relation.schema) if part]
        return ".".join(f"`{part}`" for part in (*parts, table_name(relation.name)))

    def literal(self, value: Any) -> str:
        """As in standard SQL, but for texts, which have escapes, and numbers, which have limits."""
        if isinstance(value, str):
            if "'" in value and '"' not in value:  # \' is read in two ways by whoever only looks at SQL
                return f'"{value.translate(_ESCAPED_BUT_QUOTES)}"'
            return f"'{value.translate(_ESCAPED)}'"
        if isinstance(value, bytes):
            return f"FROM_HEX('{value.hex()}')"
        if isinstance(value, decimal.Decimal) or (isinstance(value, int) and value not in _INT64):
            return _decimal_literal(decimal.Decimal(value))
        if isinstance(value, int) and value == _INT64[0] and not isinstance(value, bool):
            return f"CAST('{value}' AS INT64)"  # a minus is no part of a number
        if isinstance(value, dt.datetime):
            if value.tzinfo is None:
                return f"DATETIME '{value.isoformat(sep=' ')}'"
            return f"TIMESTAMP '{value.astimezone(dt.UTC).replace(tzinfo=None).isoformat(sep=' ')}+00:00'"
        if isinstance(value, dt.date):
            return f"DATE '{value.isoformat()}'"
        return super().literal(value)

    def exact_text(self, expression: str, type_: pa.DataType) -> str:
        """Bytes are written in digits, moments in UTC, and what has parts as JSON, whatever a session is set to."""
        import pyarrow as pa

        types = pa.types
        if types.is_binary(type_) or types.is_large_binary(type_) or types.is_fixed_size_binary(type_):
            return f"TO_HEX({expression})"
        if types.is_time(type_):
            return f"FORMAT_TIME('%H:%M:%E6S', {expression})"
        if types.is_timestamp(type_) and type_.tz is not None:
            return f"FORMAT_TIMESTAMP('%F %H:%M:%E6S', {expression}, 'UTC')"
        if types.is_nested(type_) or str(type_) == "extension<arrow.json>":
            return f"TO_JSON_STRING({expression})"
        return super().exact_text(expression, type_)

    def type_name(self, type_: pa.DataType) -> str:
        """The column type for an Arrow type. Unsigned numbers above those of INT64 are refused when they are loaded."""
        import pyarrow as pa

        types = pa.types
        known = _NAMED.get(str(type_))
        if known:
            return known
        if types.is_integer(type_):
            return "INT64"
        if types.is_time(type_):
            return "TIME"
        if types.is_timestamp(type_):
            return "TIMESTAMP" if type_.tz else "DATETIME"
        if types.is_fixed_size_binary(type_):
            return "BYTES"
        if types.is_decimal(type_):
            word = decimal_word(type_.precision, type_.scale)
            if word:
                return f"{word}({type_.precision}, {type_.scale})" if type_.scale else f"{word}({type_.precision})"
        if types.is_dictionary(type_) or types.is_run_end_encoded(type_):
            return self.type_name(type_.value_type)
        if types.is_struct(type_) and type_.num_fields:
            fields = (type_.field(index) for index in range(type_.num_fields))
            return "STRUCT<" + ", ".join(f"{self.quote(f.name)} {self.type_name(f.type)}" for f in fields) + ">"
        if is_list(type_) and not is_list(type_.value_type):
            return f"ARRAY<{self.type_name(type_.value_type)}>"
        raise UnsupportedError(
            f"BigQuery has no column type for Arrow's {type_}",
            help="cast the column to another type first, such as text",
        )

    def cast(self, expression: str, type_: str) -> str:
        """BigQuery has digits and lengths in the types of columns, and refuses them in a cast."""
        bare = _PARAMETERS.sub("", type_)
        digits = _DIGITS.fullmatch(type_.strip())
        if digits is None or expression == "NULL":
            return f"CAST({expression} AS {bare})"
        return f"CAST(ROUND(CAST({expression} AS BIGNUMERIC), {digits[2] or 0}) AS {bare})"

    def function(self, key: str, **fields: str) -> str:
        """Decimals are NUMERIC where they fit into it, and else BIGNUMERIC."""
        if "precision" in fields:
            word = decimal_word(int(fields["precision"]), int(fields["scale"]))
            if word is None:
                raise UnsupportedError(f"BigQuery has no numbers of {fields['precision']} and {fields['scale']} digits")
            fields["decimal"] = word
            fields["kept"] = str(int(fields["scale"]) + 1)
            if key == "safe_cast.numeric" and int(fields["precision"]) - int(fields["scale"]) == _IN_FRONT[word]:
                return write({key: UNLIMITED}, self.name, key, fields)
        return super().function(key, **fields)

    def regex_match(self, expression: str, pattern: str) -> str:
        """RE2 syntax, found anywhere in the text."""
        return f"REGEXP_CONTAINS({expression}, {self.literal(pattern)})"

    def text_hash(self, expressions: Sequence[str]) -> str:
        """MD5 of the values as JSON, in which no two lists of values look the same."""
        listed = ", ".join(f"{one} AS v{nr}" for nr, one in enumerate(expressions))
        return f"TO_HEX(MD5(TO_JSON_STRING(STRUCT({listed}))))"

    def ordered(self, expression: str, *, descending: bool) -> str:
        """Inside of an aggregate, BigQuery has NULL at the end of a falling order only."""
        return f"{expression} DESC" if descending else f"{expression} IS NULL, {expression}"

    def count_if(self, condition: str) -> str:
        """BigQuery's own."""
        return f"COUNTIF({condition})"


def _unfit(name: str, signs: frozenset[str] = frozenset()) -> str:
    """The first letter of *name* that no name may have; empty: none."""
    found = (one for one in name if one not in signs and not unicodedata.category(one).startswith(_IN_NAMES))
    return next(found, "")


def table_name(name: str) -> str:
    """*name*, if it can be a table's.

    Raises
    ------
    UnsupportedError
        For what BigQuery does not allow.
    """
    wrong = _unfit(name)
    if not name or wrong:
        reason = f"{wrong!r} is in it" if wrong else "it is empty"
        raise UnsupportedError(
            f"{name[:60]!r} cannot be the name of a table in BigQuery: {reason}",
            help="letters, digits, spaces, _ and - are allowed: choose another name or alias",
        )
    return name


def _place(name: str) -> str:
    """The name of a project or dataset, if it can be one."""
    if not _PLACE.fullmatch(name):
        raise UnsupportedError(
            f"{name[:60]!r} cannot be the name of a dataset or a project in BigQuery",
            help="use letters, digits and _ for a dataset",
        )
    return name


def is_list(type_: pa.DataType) -> bool:
    """Whether an Arrow type is one of the several kinds of lists."""
    import pyarrow as pa

    tests = ("is_list", "is_large_list", "is_fixed_size_list", "is_list_view", "is_large_list_view")
    return any(getattr(pa.types, test)(type_) for test in tests)


def decimal_word(precision: int, scale: int) -> str | None:
    """The narrower of BigQuery's two types that holds such numbers; ``None``: neither does."""
    for word, behind in (("NUMERIC", 9), ("BIGNUMERIC", 38)):
        digits = _IN_FRONT[word]
        if 0 <= scale <= behind and max(1, scale) <= precision <= scale + digits:
            return word
    return None


def _decimal_literal(value: decimal.Decimal) -> str:
    if not value.is_finite():
        raise TypeError("NaN and infinity have no literal")
    text = format(value, "f")
    scale = len(text.partition(".")[2])
    digits = max(len(text.lstrip("-").replace(".", "").lstrip("0")), scale, 1)
    word = decimal_word(digits, scale)
    if word is None:
        raise TypeError(f"BigQuery has no numbers of {digits} digits with {scale} behind the point")
    return f"{word} '{text}'"
