"""Selectors: the words after ``--select`` and ``--exclude``, for every command.

A space (or a further flag) means *or*, a comma means *and*. Each part is a name, or ``method:value``, with graph
operators around it: ``+x`` adds what x is built from, ``x+`` what is built from x, ``2+x+1`` only so many steps, and
``@x`` takes x, everything built from it, and all that these are built from. ``*``, ``?`` and ``[...]`` are wildcards.

Methods are a mapping from name to function, so that a later floor can add one that needs more than the manifest.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

from flowforge.errors import FlowForgeError, SelectionError, UsageError
from flowforge.frozen import frozen
from flowforge.graph.dag import Dag
from flowforge.graph.methods import METHODS, Method
from flowforge.project.manifest import Manifest

_PART = re.compile(
    r"(?:(?P<at>@)|(?P<up>[0-9]*)(?P<plus>\+))?"
    r"(?P<body>.*?)"
    r"(?P<down>\+(?P<steps>[0-9]*))?",
    re.DOTALL,
)
_METHOD = re.compile(r"(?P<method>[A-Za-z_]+)(?:\.(?P<key>[^:]*))?:(?P<value>.*)", re.DOTALL)


_REFUSED = {"exposure": "FlowForge has no exposures: select by name what the exposure reads, such as +orders_mart"}
"""Methods that others have."""


@frozen
class Part:
    """One part of a selector.

    Parameters
    ----------
    key:
        What follows the method's dot: ``materialized`` in ``config.materialized:view``; else empty.
    up, down:
        How many steps to follow towards parents and children; ``None`` follows all, 0 none.
    around:
        True for ``@``.
    """

    text: str
    method: str
    key: str
    value: str
    up: int | None = 0
    down: int | None = 0
    around: bool = False


def parse(selectors: Iterable[str], methods: Mapping[str, Method] = METHODS) -> tuple[tuple[Part, ...], ...]:
    """Read selectors: the outer tuple is a union, each inner one an intersection.

    Raises
    ------
    UsageError
        For the first text that is no selector, and for an unknown method.
    """
    union: list[tuple[Part, ...]] = []
    for selector in selectors:
        words = selector.split()
        if not words:
            raise UsageError("an empty selector", code="FF6402", help="leave the option out to take all nodes")
        union += [tuple(_part(part, word, methods) for part in word.split(",")) for word in words]
    return tuple(union)


def select(
    manifest: Manifest,
    dag: Dag,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    *,
    methods: Mapping[str, Method] = METHODS,
) -> tuple[str, ...]:
    """The names of the nodes that are selected, in topological order; possibly none.

    Parameters
    ----------
    dag:
        The graph of the manifest's nodes.
    select:
        What to take; nothing given takes all nodes.
    exclude:
        What to leave out: exactly the nodes that it fits, not what is built from them.
    methods:
        What may stand before a colon; ``name`` is used for parts without one.

    Raises
    ------
    UsageError
        When a selector cannot be read.
    SelectionError
        When one names a node, tag, path ... that the project does not have. All such parts are named in one error.
    """
    problems: list[FlowForgeError] = []
    wanted, unwanted = parse(select, methods), parse(exclude, methods)
    chosen = _union(manifest, dag, wanted, methods, problems) if wanted else frozenset(dag.names)
    chosen -= _union(manifest, dag, unwanted, methods, problems)
    if problems:
        raise _joined(problems)
    return dag.ordered(chosen)


def _part(text: str, word: str, methods: Mapping[str, Method]) -> Part:
    match = _PART.fullmatch(text)
    body = match["body"] if match else ""
    where = "" if text == word else f" in {word!r}"
    if not match or not body or body[0] in "+@" or body[-1] == "+":
        raise UsageError(
            f"cannot read the selector {text!r}{where}", code="FF6402", help="for example: +orders, orders+, 2+orders+1"
        )
    if match["at"] and match["down"]:
        raise UsageError(
            f"cannot read the selector {text!r}{where}",
            code="FF6402",
            help=f"@ already takes everything built from it: @{body}",
        )
    up, down = _steps(match["plus"], match["up"]), _steps(match["down"], match["steps"])
    around = bool(match["at"])
    named = _METHOD.fullmatch(body)
    if named is None:
        return Part(text, "name", "", body, up, down, around)
    method, key, value = named["method"], named["key"], named["value"]
    if method in _REFUSED and method not in methods:
        raise UsageError(f"there is no selection method {method!r}, in {word!r}", code="FF6403", help=_REFUSED[method])
    if method not in methods:
        known = ", ".join(f"{name}:" for name in sorted(methods))
        close = difflib.get_close_matches(method, methods, n=1)
        raise UsageError(
            f"unknown selection method {method!r}{where or f' in {text!r}'}",
            code="FF6403",
            help=(f"did you mean {close[0]}:? " if close else "") + f"known methods: {known}",
        )
    if not value or key == "":
        raise UsageError(
            f"the selector {text!r}{where} has no {'setting' if key == '' else 'value'}",
            code="FF6402",
            help=f"write {method}{'.KEY' if key is not None else ''}:VALUE",
        )
    return Part(text, method, key or "", value, up, down, around)


def _steps(operator: str | None, count: str | None) -> int | None:
    if not operator:
        return 0
    return int(count) if count and len(count) < 10 else None  # no graph is a thousand million steps deep


def _union(
    manifest: Manifest,
    dag: Dag,
    union: Iterable[Iterable[Part]],
    methods: Mapping[str, Method],
    problems: list[FlowForgeError],
) -> frozenset[str]:
    chosen: frozenset[str] = frozenset()
    for parts in union:
        sets = []
        for part in parts:
            try:
                sets.append(_expand(dag, methods[part.method](manifest, part.key, part.value), part))
            except (SelectionError, UsageError) as error:
                problems.append(error)
        if sets:
            chosen |= frozenset.intersection(*sets)
    return chosen


def _expand(dag: Dag, names: frozenset[str], part: Part) -> frozenset[str]:
    if part.around:
        below = names | dag.descendants(names)
        return below | dag.ancestors(below)
    return names | dag.ancestors(names, part.up) | dag.descendants(names, part.down)


def _joined(problems: Sequence[FlowForgeError]) -> FlowForgeError:
    """One error for all parts that fit nothing; a wrong command line outweighs a wrong name."""
    usage = [error for error in problems if isinstance(error, UsageError)]
    first, *others = usage or problems
    if not others:
        return first
    kind = UsageError if usage else SelectionError
    return kind(
        first.message,
        code=first.code,
        help=first.help,
        notes=[*first.notes, *(error.message + (f" ({error.help})" if error.help else "") for error in others)],
    )
