"""Says in words why a node is built or skipped, and shows what changed since it was built last."""

from __future__ import annotations

from collections.abc import Mapping

from flowforge.project.manifest import Node
from flowforge.run.definition import Definition
from flowforge.run.ledger import Because, Decision, kind_of
from flowforge.run.line_diff import changed_lines
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
            return f"asked for by --rebuild or --full-refresh{_what_stays(node)}", ()
        case Because.CACHE_OFF:
            return f"the cache is not read{_what_stays(node)}", ()
        case Because.NEVER:
            return "was never built here", ()
        case Because.MISSING:
            return "is missing in the database", ()
        case Because.KIND if last is not None and last.definition != decision.definition.digest:
            return _changed(decision.definition.whole(), node, last)
        case Because.KIND:
            return f"is no {kind_of(node).value} in the database", ()
        case Because.COLUMNS:
            return "its columns were changed in the database", ()
        case Because.NOT_NOTED:
            return "the last build noted nothing that later runs can rely on", ()
        case Because.VOLATILE:
            return "; ".join(decision.subjects[:2]), ()
        case Because.DEFINITION:
            return _changed(decision.definition.whole(), node, last)
        case Because.BROKEN:
            return f"does not compile: {decision.definition.error}", ()
        case Because.UNKNOWN_INPUT:
            return f"nobody knows whether {subjects} changed", ()
        case Because.SOURCES:
            return f"source data changed: {subjects}", ()
        case Because.UNKNOWN_SOURCE:
            return f"nobody knows whether source {subjects} changed", ("`assume_unchanged: true` says that it did not",)
        case Because.RELEASED:
            return "rows were released from its quarantine, or a release was taken back", ()
        case Because.WINDOW:
            return "a new window has begun", ()
        case Because.NAMED if decision.action is Action.SKIP:
            return "has no window in the time that was named", ()
        case Because.NAMED:
            return "its windows were asked for", ()
        case Because.ASKS:
            return f"asks the database while it is compiled, after {subjects} is built", ()
        case Because.INPUTS if decision.action is Action.MAYBE:
            return f"if the rows of {subjects} change", ()
        case Because.INPUTS:
            return f"reads {subjects}, which changed", ()


def _what_stays(node: Node) -> str:
    return "" if node.config.snapshot is None else "; the query is applied once more, and the history stays"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _changed(now: Definition, node: Node, last: BuildRecord | None) -> tuple[str, tuple[str, ...]]:
    """What in a definition is different from the last one."""
    if last is None:
        return f"{node.path} or its settings changed", ()
    clauses: list[str] = []
    details: tuple[str, ...] = ()
    for key in sorted({*now.config, *last.config}):
        before, after = last.config.get(key), now.config.get(key)
        if before != after:
            clauses.append(f"{key} changed from {before} to {after}")
    files = _files(now.files, last.files)
    if files:
        clauses.append(f"{_listed(files)} changed")
    if now.sql is not None and last.sql is not None and now.sql != last.sql:
        clause, details = _changed_sql(now, now.sql, last.sql)
        clauses.append(clause)
    return "; ".join(clauses) or f"{node.path} or the engine's settings changed", details


def _files(now: Mapping[str, str], last: Mapping[str, str]) -> list[str]:
    return sorted(path for path in {*now, *last} if now.get(path) != last.get(path))


def _changed_sql(now: Definition, sql: str, before: str) -> tuple[str, tuple[str, ...]]:
    """Where in the project's files the SQL changed, and how."""
    lines = list(
        changed_lines([line.rstrip() for line in before.splitlines()], [line.rstrip() for line in sql.splitlines()])
    )
    told = [line for line in lines if line.text]
    if not told:
        return "space in its SQL changed", ()
    details = [f"{_place(now, line.number)}: {line.sign} {line.text}" for line in told[:_SHOWN]]
    if len(told) > _SHOWN:
        details.append(f"and {len(told) - _SHOWN} more lines")
    return f"its SQL changed at {_place(now, told[0].number)}", tuple(details)


def _place(now: Definition, number: int) -> str:
    """The file and line from which line *number* of the compiled SQL comes."""
    if now.compiled is not None:
        text = now.compiled.unrevealed
        lines = text.splitlines(keepends=True)
        number = min(number, len(lines))
        line = lines[number - 1]
        where = now.compiled.locate_unrevealed(sum(map(len, lines[: number - 1])) + len(line) - len(line.lstrip()))
        if where is not None and where.line:
            return f"{where.path}:{where.line}"
    return f"line {number} of the compiled SQL"
