"""What kind of value an expression gives, as far as its own text tells: no tables are known here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowforge.portable.traits import Pair

if TYPE_CHECKING:
    from sqlglot import exp

WHOLE, DECIMAL, DOUBLE, FRACTION, TEXT, DATE, TIMESTAMP, BOOLEAN = (
    *("whole", "decimal", "double", "fraction", "text"),
    *("date", "timestamp", "boolean"),
)
"""``FRACTION`` is a decimal or a double."""

NUMBERS_WITH_FRACTIONS = frozenset({DECIMAL, DOUBLE, FRACTION})


def kind_of(node: exp.Expr, pair: Pair) -> str | None:
    """One of the kinds above; ``None`` when the text does not tell."""
    from sqlglot import exp

    if isinstance(node, exp.Paren | exp.Neg | exp.Abs | exp.Window | exp.Nullif | exp.Filter):
        return kind_of(node.this, pair)
    if isinstance(node, exp.Literal):
        if node.is_string:
            return TEXT
        return WHOLE if node.is_int else FRACTION if "e" in node.name.lower() else DECIMAL
    if isinstance(node, exp.Boolean):
        return BOOLEAN
    if isinstance(node, exp.Cast):
        return _kind_of_type(node.to)
    if isinstance(node, exp.Extract):
        return DECIMAL if pair.of_source("second") == "fraction" else WHOLE
    if isinstance(node, exp.Div):
        kinds = {kind_of(node.left, pair), kind_of(node.right, pair)}
        if kinds & NUMBERS_WITH_FRACTIONS:
            return FRACTION
        return WHOLE if kinds == {WHOLE} and pair.of_source("integer_division") == "cut" else None
    if isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Mod):
        return _joined([kind_of(node.left, pair), kind_of(node.right, pair)])
    if isinstance(node, exp.Coalesce):
        return _joined([kind_of(part, pair) for part in (node.this, *node.expressions)])
    for kind, names in _RESULTS.items():
        if type(node).__name__ in names:
            return kind
    return None


_RESULTS = {
    WHOLE: {
        "Count",
        "CountIf",
        "RowNumber",
        "Rank",
        "DenseRank",
        "Ntile",
        "Length",
        "StrPosition",
        "IntDiv",
        "DateDiff",
    },
    FRACTION: {"Avg", "Stddev", "StddevPop", "StddevSamp", "Variance", "VariancePop", "Sqrt", "Ln", "Exp"},
    TEXT: {
        "Upper",
        "Lower",
        "Substring",
        "Trim",
        "Concat",
        "ConcatWs",
        "DPipe",
        "Replace",
        "Left",
        "Right",
        "TimeToStr",
    },
    DATE: {"CurrentDate", "StrToDate", "LastDay"},
}


def _joined(kinds: list[str | None]) -> str | None:
    """The kind of numbers that are reckoned together."""
    if DOUBLE in kinds:
        return DOUBLE
    if any(kind in NUMBERS_WITH_FRACTIONS for kind in kinds):
        return kinds[0] if len(set(kinds)) == 1 else FRACTION
    return kinds[0] if len(set(kinds)) == 1 else None


def _kind_of_type(type_: exp.DataType) -> str | None:
    from sqlglot import exp

    groups = (
        (WHOLE, exp.DataType.INTEGER_TYPES),
        (DOUBLE, exp.DataType.FLOAT_TYPES),
        (DECIMAL, exp.DataType.REAL_TYPES - exp.DataType.FLOAT_TYPES),
        (TEXT, exp.DataType.TEXT_TYPES),
        (DATE, {exp.DataType.Type.DATE}),
        (BOOLEAN, {exp.DataType.Type.BOOLEAN}),
        (TIMESTAMP, {exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPNTZ, exp.DataType.Type.DATETIME}),
    )
    return next((kind for kind, types in groups if type_.this in types), None)
