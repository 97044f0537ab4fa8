"""Which checks a selection means: those of the selected nodes, and those that carry a tag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowforge.errors import NothingSelectedError, SelectionError
from flowforge.graph.dag import Dag
from flowforge.graph.methods import METHODS, Method
from flowforge.graph.select import parse
from flowforge.graph.sources import select_both, source_key
from flowforge.project.manifest import CheckDecl, Manifest


def select_checks(
    manifest: Manifest,
    dag: Dag,
    select: Sequence[str],
    exclude: Sequence[str],
    methods: Mapping[str, Method] = METHODS,
) -> tuple[CheckDecl, ...]:
    """The checks that selectors mean, in the order of their declaration; all of them without a selector.

    Parameters
    ----------
    methods:
        What may stand before a colon.

    Raises
    ------
    NothingSelectedError
        When there are checks, but none of them is selected.
    SelectionError
        When a selector names neither a node, nor a tag, nor a check, nor a checked table.
    """
    checks = manifest.checks
    if not checks or not (select or exclude):
        return checks
    left_out = _meant(manifest, dag, exclude, methods)
    taken = (_meant(manifest, dag, select, methods) if select else {check.id for check in checks}) - left_out
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
