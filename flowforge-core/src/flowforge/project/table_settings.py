"""What a model may say of its table, as it is written: storage, indexes, rights. Becomes the engine's table options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from flowforge.contract import Index
from flowforge.frozen import frozen
from flowforge.project.setting_fields import names, words


def not_blank(instance: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    """A text with something in it."""
    if value is not None and not value.strip():
        raise ValueError("is empty")


def _some(instance: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    if not value:
        raise ValueError("names no column")
    names(instance, attribute, value)


@frozen(kw_only=True)
class WrittenIndex:
    """An entry of ``indexes`` in its long form."""

    columns: tuple[str, ...] = attrs.field(
        converter=words, validator=_some, metadata={"accepts": str | tuple[str, ...]}
    )
    unique: bool = False
    type: str | None = attrs.field(default=None, validator=not_blank)


WrittenIndexes = tuple[str | tuple[str, ...] | WrittenIndex, ...]
"""``[id]``, ``[[first, last]]`` or ``[{columns: [id], unique: true}]``."""


def read_indexes(value: WrittenIndexes) -> tuple[Index, ...]:
    """The indexes that are meant; two of the same columns are one too many."""
    found = []
    for entry in value:
        long = entry if isinstance(entry, WrittenIndex) else WrittenIndex(columns=words(entry))
        index = Index(long.columns, long.unique, long.type.lower() if long.type else None)
        if index in found:
            raise ValueError(f"the index on {', '.join(index.columns)} is named twice")
        found.append(index)
    return tuple(found)


@frozen(kw_only=True)
class Storage:
    """The block ``storage: {...}``: where the files of a table are, and how they are written."""

    path: str = attrs.field(validator=not_blank)
    format: str | None = attrs.field(default=None, validator=not_blank)
    options: Mapping[str, Any] = attrs.field(factory=dict)


WrittenGrants = Mapping[str, str | tuple[str, ...]]
"""By privilege, one role or several."""


def read_grants(value: WrittenGrants) -> Mapping[str, tuple[str, ...]]:
    """Rights by privilege in lower case."""
    found: dict[str, tuple[str, ...]] = {}
    for privilege, roles in value.items():
        name = privilege.strip().lower()
        if not name:
            raise ValueError("a privilege is empty")
        if name in found:
            raise ValueError(f"'{name}' is named twice")
        found[name] = tuple(dict.fromkeys(words(roles)))
        if any(not role.strip() for role in found[name]):
            raise ValueError(f"a role that has '{name}' is empty")
    return found
