"""Built-in checks that look at the columns of a relation and read none of its rows.

Knows the contract and the words for types. The text of a failure follows the checked column: ``users.id`` *is VARCHAR,
expected BIGINT*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from flowforge.config.flaws import nearest
from flowforge.config.type_words import is_type_text, normal_word, same_word
from flowforge.contract import CheckSpec, Columns
from flowforge.frozen import frozen

if TYPE_CHECKING:
    pass


def _word(value: str) -> str:
    return normal_word(value)


@frozen(kw_only=True)
class ColumnParams:
    """A check of one column."""

    column: str


@frozen(kw_only=True)
class PhysicalTypeParams(ColumnParams):
    """*physical* is a type in the engine's own words, or a mapping from engines (and ``default``) to such types."""

    physical: str = attrs.field(validator=is_type_text, metadata={"by_engine": True})


@frozen(kw_only=True)
class TypeParams(ColumnParams):
    """*type* is one of the words that mean the same on every engine."""

    type: str = attrs.field(converter=_word)


def missing(columns: Columns, name: str) -> str:
    """That there is no such column, and which one may be meant."""
    near = nearest(name, columns.names)
    known = ", ".join(columns.names[:12]) + (", ..." if len(columns.names) > 12 else "")
    return f"is missing; {near}" if near else f"is missing; there are {known or 'no columns'}"


def _has_physical(params: PhysicalTypeParams, columns: Columns) -> str | None:
    name = columns.find(params.column)
    if name is None:
        return missing(columns, params.column)
    wanted, word = columns.word_for(params.physical), columns.word_of(name)
    if same_word(word, wanted):
        return None
    said = wanted if same_word(params.physical, wanted) else f"{params.physical}, which is {wanted}"
    return f"is {word or 'of no type'}, expected {said}"


def _has_type(params: TypeParams, columns: Columns) -> str | None:
    name = columns.find(params.column)
    if name is None:
        return missing(columns, params.column)
    if columns.is_of(name, params.type):
        return None
    return f"is {columns.word_of(name) or 'of no type'}, expected {params.type}"


def _exists(params: ColumnParams, columns: Columns) -> str | None:
    return missing(columns, params.column) if columns.find(params.column) is None else None


COLUMN_PHYSICAL_TYPE = CheckSpec(
    name="column_physical_type",
    summary="The column has a type of the engine, whatever spelling names it; lengths and digits count.",
    params=PhysicalTypeParams,
    inspect=_has_physical,
)
COLUMN_TYPE = CheckSpec(
    name="column_type",
    summary="The column has a type that is called the same on every engine: integer, numeric(10,2), timestamp ...",
    params=TypeParams,
    inspect=_has_type,
)
COLUMN_EXISTS = CheckSpec(
    name="column_exists",
    summary="There is a column of this name.",
    params=ColumnParams,
    inspect=_exists,
)

COLUMN_CHECKS: tuple[CheckSpec, ...] = (COLUMN_PHYSICAL_TYPE, COLUMN_TYPE, COLUMN_EXISTS)
