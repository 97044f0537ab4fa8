"""The filters that templates may use: Jinja's own where they make sense for SQL, each inside the limits.

Left out are those for HTML, and ``random``: a model must give the same SQL each time.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jinja2 import filters as stock
from jinja2 import pass_environment

from flowforge.rendering.limits import (
    MAX_FILTER_INPUT,
    Budget,
    TooExpensive,
    check_indent,
    check_join,
    check_printf,
    check_replace,
    check_width,
    size,
)

_PLAIN = [
    "abs",
    "capitalize",
    "count",
    "d",
    "default",
    "dictsort",
    "filesizeformat",
    "first",
    "float",
    "groupby",
    "int",
    "items",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "reverse",
    "select",
    "selectattr",
    "sort",
    "string",
    "title",
    "trim",
    "truncate",
    "upper",
    "wordcount",
]
_PASS_ARGUMENT = "jinja_pass_arg"
"""How Jinja marks a filter that takes the environment or context first; it has to survive wrapping."""
_MAX_UNIQUE = 10_000

Filter = Callable[..., Any]


def guarded_filters(budget: Budget) -> dict[str, Filter]:
    """All filters, counting into *budget*."""
    return {name: _guarded(filter_, check, marker, budget) for name, filter_, check, marker in _available()}


@functools.cache
def _available() -> tuple[tuple[str, Filter, Filter | None, Any], ...]:
    """Name, filter, what looks at its arguments first, and whether Jinja hands it more than those."""
    available: dict[str, tuple[Filter, Filter | None]] = {name: (stock.FILTERS[name], None) for name in _PLAIN}
    available |= {
        "attr": (_attribute, None),
        "batch": (stock.FILTERS["batch"], lambda value, count, *rest: check_width(count)),
        "center": (stock.FILTERS["center"], lambda value, width=80: check_width(width)),
        "format": (stock.FILTERS["format"], _check_format),
        "indent": (stock.FILTERS["indent"], lambda value, width=4, *rest, **more: check_indent(value, width)),
        "join": (_join, None),
        "replace": (stock.FILTERS["replace"], lambda value, old, new, *rest, **more: check_replace(value, old, new)),
        "round": (stock.FILTERS["round"], lambda value, precision=0, *rest, **more: check_width(precision)),
        "slice": (stock.FILTERS["slice"], lambda value, count, *rest, **more: check_width(count)),
        "sum": (_sum, None),
        "tojson": (_tojson, None),
        "unique": (_unique, None),
        "wordwrap": (stock.FILTERS["wordwrap"], _check_wordwrap),
    }
    return tuple(
        (name, filter_, check, getattr(filter_, _PASS_ARGUMENT, None)) for name, (filter_, check) in available.items()
    )


def _guarded(filter_: Filter, check: Filter | None, marker: Any, budget: Budget) -> Filter:
    def guarded(*args: Any, **kwargs: Any) -> Any:
        given = args[1:] if marker is not None else args
        budget.step(size(given, MAX_FILTER_INPUT) + size(kwargs, MAX_FILTER_INPUT))
        if check is not None:
            check(*given, **kwargs)
        return budget.take(filter_(*args, **kwargs))

    if marker is not None:
        setattr(guarded, _PASS_ARGUMENT, marker)
    return guarded


def _check_format(template: Any, *args: Any, **kwargs: Any) -> None:
    check_printf(str(template), kwargs or args)


def _check_wordwrap(
    text: Any, width: int = 79, break_long_words: bool = True, wrapstring: str | None = None, *rest: Any
) -> None:
    check_width(width)
    if len(str(text)) > MAX_FILTER_INPUT // 20:
        raise TooExpensive("a text is too long to be wrapped")
    check_replace("\n" * (len(str(text)) + 1), "\n", wrapstring or "\n")


@pass_environment
def _attribute(environment: Any, value: Any, name: Any) -> Any:
    return environment.getattr(value, str(name))


@pass_environment
def _join(environment: Any, value: Iterable[Any], d: Any = "", attribute: str | int | None = None) -> str:
    items = list(value)
    if attribute is not None:
        getter = stock.make_attrgetter(environment, attribute)
        items = [getter(item) for item in items]
    check_join(d, items)
    return str(d).join(map(str, items))


@pass_environment
def _sum(environment: Any, iterable: Iterable[Any], attribute: str | int | None = None, start: Any = 0) -> Any:
    getter = stock.make_attrgetter(environment, attribute) if attribute is not None else None
    items = [getter(item) if getter else item for item in iterable]
    # Adding lists or texts one by one takes quadratic time.
    if any(isinstance(item, (str, bytes, list, tuple, Mapping)) for item in (start, *items)):
        raise TypeError("sum adds numbers only")
    return sum(items, start)


@pass_environment
def _unique(environment: Any, value: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
    items = list(value)
    if len(items) > _MAX_UNIQUE:
        raise TooExpensive("a list is too long for unique")
    return list(stock.FILTERS["unique"](environment, items, *args, **kwargs))


def _tojson(value: Any, indent: int | None = None) -> str:
    check_width(indent)
    return json.dumps(value, indent=indent, ensure_ascii=False)
