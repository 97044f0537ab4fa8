"""Which checks a selection means: those of the selected nodes, and those that carry a tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase

from flowforge.config.flaws import nearest
from flowforge.errors import NothingSelectedError, SelectionError
from flowforge.graph.dag import Dag
from flowforge.graph.methods import METHODS, Method, has_wildcard
from flowforge.graph.select import parse
from flowforge.graph.sources import select_both, source_key
from flowforge.project.manifest import CheckDecl, Manifest
from flowforge.project.own_checks import CheckFunction


def select_checks(
    manifest: Manifest,
    dag: Dag,
    select: Sequence[str],
    exclude: Sequence[str],
    methods: Mapping[str, Method] = METHODS,
    named: Sequence[str] = (),
) -> tuple[CheckDecl, ...]:
    """The checks that selectors mean, in the order of their declaration; all of them without a selector.

    Parameters
    ----------
    methods:
        What may stand before a colon, besides ``check``, ``test_name`` and ``test_type``.
    named:
        Of these only those with one of these names or types.

    Raises
    ------
    NothingSelectedError
        When there are checks, but none of them is selected.
    SelectionError
        When a selector names neither a node, nor a tag, nor a check, nor a checked table.
    """
    checks = manifest.checks
    if not checks or not (select or exclude or named):
        return checks
    methods = {**methods, **dict.fromkeys(_OWN_METHODS, METHODS["name"])}
    left_out = _meant(manifest, dag, exclude, methods)
    taken = (_meant(manifest, dag, select, methods) if select else {check.id for check in checks}) - left_out
    if named:
        taken &= {check.id for pattern in named for check in _called(checks, pattern)}
    chosen = tuple(check for check in checks if check.id in taken)
    if not chosen:
        raise NothingSelectedError("the selection holds no checks", help="`flowforge ls --checks` lists them")
    return chosen


def _meant(manifest: Manifest, dag: Dag, selectors: Sequence[str], methods: Mapping[str, Method]) -> set[str]:
    """The ids of the union over selectors; the words of one are a union too, the parts of a word an intersection."""
    parse(selectors, methods)  # everything is read before anything is looked for
    found: set[str] = set()
    for word in (word for text in selectors for word in text.split()):
        parts = [{check.id for check in _meant_by_part(manifest, dag, part, methods)} for part in word.split(",")]
        found |= set.intersection(*parts)
    return found


def _meant_by_part(manifest: Manifest, dag: Dag, word: str, methods: Mapping[str, Method]) -> list[CheckDecl]:
    checks = manifest.checks
    method, _, value = word.partition(":")
    if method in _OWN_METHODS and value:
        return _OWN_METHODS[method](checks, value)
    tag = value if method == "tag" else word
    tagged = [check for check in checks if tag in check.tags]
    means_nodes = (
        any(tag in node.config.tags for node in manifest.nodes.values())
        or any(tag in source.tags for source in manifest.sources.values())
        if method == "tag"
        else manifest.find(word) is not None
    )
    if tagged and not means_nodes:
        return tagged
    try:
        names = select_both(manifest, dag, [word], [], methods=methods)
    except SelectionError:
        named = [check for check in checks if word in (check.id, check.table)]
        if not named:
            raise
        return named
    own = [check for check in checks if not names.isdisjoint(_keys(check))]
    return own + [check for check in tagged if method == "tag" and check not in own]


def _keys(check: CheckDecl) -> set[str]:
    """The nodes and sources that a check is about, as selections name them."""
    sources = {check.source} if check.source is not None else set()
    if check.is_singular and check.own is not None:
        sources |= set(check.own.reads)
    return {*check.subjects, *map(source_key, sources)}


def _called(checks: Sequence[CheckDecl], pattern: str) -> list[CheckDecl]:
    """Those with a name or a type."""
    return _fitting(checks, "is called, or of the type,", pattern, lambda check: (check.id, check.type))


def _of_type(checks: Sequence[CheckDecl], pattern: str) -> list[CheckDecl]:
    """Those of a type."""
    return _fitting(checks, "is of the type", pattern, lambda check: (check.type,))


def _of_kind(checks: Sequence[CheckDecl], kind: str) -> list[CheckDecl]:
    """Those of a kind: what everybody can use, or the project's own."""
    return _fitting(checks, "is of the kind", kind, _kinds, known=_KINDS)


_KINDS = ("data", "generic", "singular", "sql", "python")


def _kinds(check: CheckDecl) -> tuple[str, ...]:
    found = ["data", "singular" if check.is_singular else "generic"]
    if check.own is not None:
        found.append("python" if isinstance(check.own.body, CheckFunction) else "sql")
    return tuple(found)


def _fitting(
    checks: Sequence[CheckDecl],
    words: str,
    pattern: str,
    values: Callable[[CheckDecl], tuple[str, ...]],
    known: Sequence[str] = (),
) -> list[CheckDecl]:
    found = [check for check in checks if any(fnmatchcase(value, pattern) for value in values(check))]
    if not found and not has_wildcard(pattern) and pattern not in known:
        there = known or sorted({value for check in checks for value in values(check)})
        help = nearest(pattern, there) or "`flowforge ls --checks` lists all checks"
        raise SelectionError(f"no check {words} {pattern!r}", help=help)
    return found


_OWN_METHODS: Mapping[str, Callable[[Sequence[CheckDecl], str], list[CheckDecl]]] = {
    "check": _called,
    "test_name": _of_type,
    "test_type": _of_kind,
}
"""What may stand before a colon where checks are selected, besides what selects nodes."""
