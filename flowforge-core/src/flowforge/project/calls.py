"""What the arguments of ``ref`` and ``source`` mean; used where they are found and where they are rendered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

USAGE: Mapping[str, str] = {
    "ref": "write ref('name') or ref('package', 'name'), with names as text",
    "source": "write source('group', 'table'), with names as text",
    "config": "write keywords: config(materialized='view')",
}
"""What to say to somebody whose call makes no sense."""


def bind_ref(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The argument of a ``ref`` call that holds the name: the last positional one, or ``name=``.

    Raises
    ------
    ValueError
        With a message for the user, when the call has another shape.
    """

    def two(package: Any, name: Any) -> Any:
        return name

    def one(name: Any) -> Any:
        return name

    return _bind(two if len(args) + len(kwargs) == 2 else one, args, kwargs, "ref")


def bind_source(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    """The arguments of a ``source`` call that hold group and table.

    Raises
    ------
    ValueError
        With a message for the user, when the call has another shape.
    """

    def both(group: Any, table: Any) -> tuple[Any, Any]:
        return group, table

    pair: tuple[Any, Any] = _bind(both, args, kwargs, "source")
    return pair


def _bind(shape: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], function: str) -> Any:
    try:
        return shape(*args, **kwargs)
    except TypeError:
        raise ValueError(f"{function}() cannot take these arguments") from None
