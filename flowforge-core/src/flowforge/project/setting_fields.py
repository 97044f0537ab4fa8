"""Kinds of settings that several groups of a model's settings share: one name or several, names of columns."""

from __future__ import annotations

from typing import Any

import attrs

from flowforge.config.names import is_name


def words(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """One text, or several, as several."""
    return (value,) if isinstance(value, str) else tuple(value)


def names(instance: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    """Check that texts can be names, and that none of them comes twice.

    Raises
    ------
    ValueError
        Otherwise.
    """
    seen = set()
    for name in value:
        is_name(instance, attribute, name)
        if name.casefold() in seen:
            raise ValueError(f"'{name}' is named twice")
        seen.add(name.casefold())


def columns(*aliases: str) -> Any:
    """A field for the name of a column, or for several."""
    return attrs.field(
        default=(), converter=words, validator=names, metadata={"accepts": str | tuple[str, ...], "aliases": aliases}
    )
