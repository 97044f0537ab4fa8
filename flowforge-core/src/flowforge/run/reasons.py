"""Says in words why a node is built or skipped, and shows what changed since it was built last."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from flowforge.project.manifest import Node
from flowforge.run.definition import Definition
from flowforge.run.ledger import Because, Decision
from flowforge.run.plan import Action
from flowforge.state.records import BuildRecord

_SHOWN = 6


def reason(decision: Decision, node: Node, last: BuildRecord | None) -> tuple[str, tuple[str, ...]]:
    """One clause, and lines of detail.

    Parameters
    ----------
    last:
        What the node was made of when it was built last, if anyone remembers.
    """
    subjects = _listed([one.removesuffix(".ff") for one in decision.subjects])
    match decision.because:
        case Because.SAME:
            return "up to date", ()
        case Because.FORCED:
            return "asked for by --rebuild or --full-refresh", ()
        case Because.CACHE_OFF:
            return "the cache is not read", ()
        case Because.NEVER:
            return "was never built here", ()
        case Because.MISSING:
            return "is missing in the database", ()
        case Because.KIND:
            return f"stands there as another kind than {node.materialized}", ()
        case Because.COLUMNS:
            return "its columns were changed in the database", ()
        case Because.NOT_NOTED:
            return "the last build noted nothing that later runs can rely on", ()
        case Because.VOLATILE:
            return "; ".join(decision.subjects[:2]), ()
        case Because.DEFINITION:
            return _changed(decision.definition, node, last)
        case Because.BROKEN:
            return f"does not compile: {decision.definition.error}", ()
        case Because.UNKNOWN_INPUT:
            return f"nobody knows whether {subjects} changed", ()
        case Because.SOURCES:
            return f"source data changed: {subjects}", ()
        case Because.UNKNOWN_SOURCE:
            return f"nobody knows whether source {subjects} changed", ("`assume_unchanged: true` says that it did not",)
        case Because.INPUTS if decision.action is Action.MAYBE:
            return f"reads {subjects}, if the rows there change", ()
        case Because.INPUTS:
            return f"reads {subjects}, which changed", ()


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _changed(now: Definition, node: Node, last: BuildRecord | None) -> tuple[str, tuple[str, ...]]:
    """What in a definition is different from the last one."""
    if last is None:
        return f"{node.path} or its settings changed", ()
    for key in sorted({*now.config, *last.config}):
        before, after = last.config.get(key), now.config.get(key)
        if before != after:
            return f"{key} changed from {before} to {after}", ()
    files = _files(now.files, last.files)
    if files:
        return f"{_listed(files)} changed", ()
    if now.sql is not None and last.sql is not None and now.sql != last.sql:
        lines = _lines(last.sql, now.sql)
        return f"its SQL changed, from line {lines[0][0]} on", tuple(text for _, text in lines[:_SHOWN])
    return f"{node.path} or the engine's settings changed", ()


def _files(now: Mapping[str, str], last: Mapping[str, str]) -> list[str]:
    return sorted(path for path in {*now, *last} if now.get(path) != last.get(path))


def _lines(before: str, after: str) -> list[tuple[int, str]]:
    """Changed lines of compiled SQL, with the number that each has there."""
    old, new = before.splitlines(), after.splitlines()
    changed: list[tuple[int, str]] = []
    for tag, old_start, old_end, new_start, new_end in difflib.SequenceMatcher(None, old, new, False).get_opcodes():
        if tag != "equal":
            changed += [(new_start + 1, f"- {old[index]}") for index in range(old_start, old_end)]
            changed += [(index + 1, f"+ {new[index]}") for index in range(new_start, new_end)]
    return changed or [(1, "")]
