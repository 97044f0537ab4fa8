"""Writes a unit test as YAML text: given rows and expected ones, with exact values and types.

Knows Arrow tables and text. What it writes, :mod:`flowforge.utest.files` reads back as the same values.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from flowforge.config.type_words import WORDS, word_for
from flowforge.frozen import frozen

if TYPE_CHECKING:
    import pyarrow as pa

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))
_ODD = re.compile("[\x7f-\xa0\xad\u2028\u2029\ufeff\ufffe\uffff]|[\ud800-\udfff]")


@frozen
class Given:
    """Rows that are written.

    Parameters
    ----------
    left_out:
        Columns that no unit test can hold, with their types.
    """

    columns: tuple[str, ...]
    types: Mapping[str, str]
    rows: tuple[tuple[Any, ...], ...]
    left_out: Mapping[str, str] = attrs.field(factory=dict)


def as_given(table: pa.Table) -> Given:
    """The rows of an input, with the type of every column."""
    rows = _rows(table)
    types: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for index, field in enumerate(table.schema):
        values = [row[index] for row in rows]
        word = word_of(field.type) or _exact(values)
        if any(isinstance(value, float) and not math.isfinite(value) for value in values):
            left_out[field.name] = "NaN or infinity"
        elif word is None:
            left_out[field.name] = str(field.type)
        else:
            types[field.name] = word
    return _kept(table, rows, list(types), types, left_out)


def as_expected(table: pa.Table) -> Given:
    """The rows that a model made; a type stands there only where the value alone would not be exact."""
    rows = _rows(table)
    types: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for index, field in enumerate(table.schema):
        values = [row[index] for row in rows]
        word = _exact(values)
        if word is not None and not word.endswith(",0)"):
            types[field.name] = word
        elif not all(_has_text(value) for value in values) or (word is None and _holds_decimals(values)):
            left_out[field.name] = str(field.type)
    return _kept(table, rows, [name for name in table.column_names if name not in left_out], types, left_out)


def _kept(
    table: pa.Table,
    rows: Sequence[tuple[Any, ...]],
    names: Sequence[str],
    types: Mapping[str, str],
    left_out: Mapping[str, str],
) -> Given:
    places = [table.column_names.index(name) for name in names]
    return Given(tuple(names), types, tuple(tuple(row[place] for place in places) for row in rows), left_out)


def _holds_decimals(values: Sequence[Any]) -> bool:
    return any(isinstance(value, decimal.Decimal) for value in values)


def _exact(values: Sequence[Any]) -> str | None:
    """The narrowest word for exact numbers of as many decimals as these have; ``None`` for other values."""
    known = [value for value in values if value is not None]
    if not known or not all(isinstance(value, decimal.Decimal) and value.is_finite() for value in known):
        return None
    scale = max(max(0, -int(value.normalize(_WIDE).as_tuple().exponent)) for value in known)
    digits = max(value.adjusted() + 1 for value in known)
    return f"numeric(38,{scale})" if max(digits, 0) + scale <= 38 else None


_WIDE = decimal.Context(prec=100)


def word_of(type_: pa.DataType) -> str | None:
    """The word for a column's type, if it has one that holds all its values."""
    import pyarrow as pa

    is_ = pa.types
    if is_.is_large_string(type_) or is_.is_null(type_) or str(type_) == "string_view":
        return "string"
    if is_.is_timestamp(type_):
        return "timestamp" if type_.tz is None else "timestamptz"
    if is_.is_date(type_):
        return "date"
    if is_.is_floating(type_):
        return "double"
    if is_.is_decimal(type_) and (not is_.is_decimal128(type_) or not 0 <= type_.scale <= type_.precision):
        return None
    word = word_for(type_)
    return word if word in WORDS or word.startswith("numeric(") else None


def unit_test(
    model: str, case: str, inputs: Mapping[str, Given], expected: Given, *, now: dt.datetime | None, about: str
) -> str:
    """The text of a whole file.

    Parameters
    ----------
    inputs:
        By the name that the test has for them.
    about:
        One line on where the rows come from.
    """
    lines = [f"# {about}", f"model: {_scalar(model)}", "cases:", f"  - name: {_scalar(case)}"]
    if now is not None:
        lines.append(f"    now: {_scalar(now.astimezone(dt.UTC).replace(tzinfo=None).isoformat(sep=' '))}")
    if inputs:
        lines.append("    inputs:")
    for name, given in inputs.items():
        lines += [f"      {_key(name)}:", *_fixture(given, 8)]
    lines += ["    expect:", *_fixture(expected, 6)]
    return "\n".join([*lines, ""])


def _fixture(given: Given, indent: int) -> list[str]:
    space = " " * indent
    lines = [f"{space}# without {name}: {type_}" for name, type_ in given.left_out.items()]
    if given.types:
        types = ", ".join(f"{_key(name)}: {_type(word)}" for name, word in given.types.items())
        lines.append(f"{space}columns: {{{types}}}")
    if not given.rows:
        return [*lines, f"{space}rows: []"]
    rows = [f"{space}  - {_flow(dict(zip(given.columns, row, strict=True)))}" for row in given.rows]
    return [*lines, f"{space}rows:", *rows]


def _rows(table: pa.Table) -> tuple[tuple[Any, ...], ...]:
    from flowforge.utest.running import plain_rows

    return tuple(plain_rows(table))


def _has_text(value: Any) -> bool:
    """Whether a value comes back from YAML as it is."""
    if isinstance(value, list):
        return all(_has_text(one) and not isinstance(one, _SAID) for one in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _has_text(one) and not isinstance(one, _SAID) for key, one in value.items())
    return value is None or isinstance(value, (bool, int, float, str, *_SAID))


_SAID = (decimal.Decimal, dt.date)  # written as texts, and read by the column's type


def _flow(values: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{_key(name)}: {_value(value)}" for name, value in values.items()) + "}"


def _key(name: str) -> str:
    return name if _PLAIN.fullmatch(name) and name.lower() not in _WORDS else _quoted(name)


def _type(word: str) -> str:
    # A comma between braces would end the word.
    return word if _PLAIN.fullmatch(word) else _quoted(word)


def _scalar(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z][A-Za-z ]*", text) and text.lower() not in _WORDS else _quoted(text)


def _value(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, dt.datetime):
        return _quoted(value.isoformat(sep=" "))
    if isinstance(value, decimal.Decimal):
        text = format(value.normalize(_WIDE), "f")
        return _quoted(text) if "." in text else text
    if isinstance(value, list):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    if isinstance(value, dict):
        return _flow(value)
    return _quoted(str(value))


def _float(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    text = repr(value)
    mantissa, mark, exponent = text.partition("e")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}{mark}{exponent}"


def _quoted(text: str) -> str:
    """*text* between double quotes, which mean the same in JSON and in YAML; what editors hide is written out."""
    return _ODD.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))
