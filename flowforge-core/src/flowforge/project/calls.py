"""What the arguments of ``ref`` and ``source`` mean; used where they are found and where they are rendered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

REF_USAGE = "write ref('name') or ref('package', 'name')"
SOURCE_USAGE = "write source('group', 'table')"


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

    return _bind(two if len(args) + len(kwargs) == 2 else one, args, kwargs, "ref", REF_USAGE)


def bind_source(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    """The arguments of a ``source`` call that hold group and table.

    Raises
    ------
    ValueError
        With a message for the user, when the call has another shape.
    """

    def both(group: Any, table: Any) -> tuple[Any, Any]:
        return group, table

    pair: tuple[Any, Any] = _bind(both, args, kwargs, "source", SOURCE_USAGE)
    return pair


def _bind(shape: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], function: str, usage: str) -> Any:
    try:
        return shape(*args, **kwargs)
    except TypeError:
        raise ValueError(f"{function}() cannot take these arguments: {usage}") from None
