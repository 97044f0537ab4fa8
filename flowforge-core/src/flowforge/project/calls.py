"""What the arguments of ``ref`` and ``source`` mean; used where they are found and where they are rendered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flowforge.errors import ProjectError
from flowforge.values import Location

PORTABLE = frozenset(
    [
        "ff_bool_and",
        "ff_bool_or",
        "ff_concat",
        "ff_current_timestamp",
        "ff_date_add",
        "ff_date_diff",
        "ff_date_trunc",
        "ff_hash",
        "ff_partition_filter",
        "ff_partition_in",
        "ff_safe_cast",
        "ff_string_agg",
        "ff_text",
        "ff_type",
    ]
)
"""Functions that write SQL for the engine."""
ENGINE_QUESTIONS = frozenset(
    ["engine", "engine_family", "ff_engine", "ff_engine_family", "ff_is_engine", "is_engine", "normalize_engine"]
)
"""Functions that tell which engine it is."""
FUNCTIONS = frozenset({"ref", "source", "config", "var", "env", "is_incremental"}) | PORTABLE | ENGINE_QUESTIONS
"""All functions that a template can call; what they are called with can be read without Jinja when it is literal."""
RESERVED = FUNCTIONS | {"this", "batch", "sql_literal", "run_query", "execute", "caller", "loop"}
"""Names that a project cannot give to its macros, because templates mean something else by them."""
USAGE: Mapping[str, str] = {
    "ref": "write ref('name') or ref('package', 'name'), with names as text",
    "source": "write source('group', 'table'), with names as text",
    "config": "write keywords: config(materialized='view')",
}
"""What to say to somebody whose call makes no sense."""


def reserved_name(name: str, location: Location) -> ProjectError:
    """The error for a macro that is called like something of :data:`RESERVED`."""
    return ProjectError(
        f"a macro cannot be called {name!r}: templates mean something else by it",
        code="FF1415",
        location=location,
        help="give it another name",
    )


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
