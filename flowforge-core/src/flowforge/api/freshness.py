"""Looks how old the newest rows of sources are."""

from __future__ import annotations

import concurrent.futures
import datetime as dt
import enum
import fnmatch
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from flowforge.config.freshness import FreshnessRule
from flowforge.config.structure import nearest
from flowforge.errors import EngineError, NothingSelectedError, SelectionError
from flowforge.project.manifest import Source
from flowforge.run.runner import RunOptions, effective_jobs

if TYPE_CHECKING:
    from flowforge.api.project import Project


class Freshness(enum.Enum):
    """What became of one source."""

    PASS = "pass"
    WARN = "warn"
    ERROR = "error"
    FAILED = "failed"
    """It could not be looked at."""


@attrs.frozen
class SourceAge:
    """How old one source is.

    Parameters
    ----------
    newest:
        The highest value of the column; ``None`` for a table without rows.
    age:
        In seconds, at the moment when it was looked at.
    message:
        Why it is as it is, when that is no matter of numbers.
    """

    source: str
    status: Freshness
    rule: FreshnessRule
    newest: dt.datetime | None = None
    age: float | None = None
    message: str | None = None


def source_ages(
    project: Project,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    *,
    clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> tuple[SourceAge, ...]:
    """The age of every selected source that has a rule, sorted by id. Several at once, where the engine can.

    Parameters
    ----------
    select, exclude:
        ``group``, ``group.table`` or patterns of them, with or without ``source:`` in front; all without *select*.
    clock:
        The time in UTC.

    Raises
    ------
    SelectionError
        When a selector names no source.
    NothingSelectedError
        When no source with a rule is selected.
    """
    chosen = _selected(project, select, exclude)
    jobs = effective_jobs(RunOptions(), project.engine)

    def look(source: Source) -> SourceAge:
        assert source.freshness is not None
        return _look(project, source, source.freshness, clock)

    _ = project.executor  # opened here, once
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        return tuple(pool.map(look, chosen))


def _selected(project: Project, select: Sequence[str], exclude: Sequence[str]) -> list[Source]:
    sources = project.manifest.sources
    wanted = {one for text in select for one in _meant(text, sources)} if select else set(sources)
    wanted -= {one for text in exclude for one in _meant(text, sources)}
    chosen = [sources[name] for name in sorted(wanted) if sources[name].freshness is not None]
    if not chosen:
        raise NothingSelectedError(
            "no source with a freshness rule is selected",
            help="declare one in sources.yml: freshness: {loaded_at_field: ..., warn_after: {count: 12, period: hour}}",
        )
    return chosen


def _meant(selector: str, sources: Any) -> list[str]:
    found = []
    for part in selector.replace(",", " ").split():
        pattern = part.removeprefix("source:")
        fits = [id_ for id_ in sources if fnmatch.fnmatchcase(id_, pattern) or id_.split(".", 1)[0] == pattern]
        if not fits:
            raise SelectionError(f"there is no source {pattern!r}", help=nearest(pattern, sources))
        found += fits
    return found


def _look(project: Project, source: Source, rule: FreshnessRule, clock: Callable[[], dt.datetime]) -> SourceAge:
    executor = project.executor
    dialect = executor.dialect
    relation = source.relation.within(executor.namespace)
    if source.node is not None:
        relation = project.compiler.relation(project.manifest.nodes[source.node])
    sql = f"SELECT MAX({dialect.quote(rule.column)}) AS newest FROM {dialect.render(relation)}"
    try:
        with executor.session(label=f"flowforge/freshness/{source.id}") as session:
            value = session.query(sql).read_all().column(0)[0].as_py()
    except Exception as problem:
        error = problem if isinstance(problem, EngineError) else executor.error(problem)
        if error is None:
            raise
        return SourceAge(source.id, Freshness.FAILED, rule, message=project.redactor.redact(error.message))
    if value is None:
        worst = Freshness.ERROR if rule.error_after is not None else Freshness.WARN
        return SourceAge(source.id, worst, rule, message="there are no rows")
    newest = _moment(value)
    if newest is None:
        message = f"{rule.column!r} holds {type(value).__name__} values, which are no times"
        return SourceAge(source.id, Freshness.FAILED, rule, message=message)
    age = (clock() - newest).total_seconds()
    status = Freshness.PASS
    if rule.error_after is not None and age > rule.error_after:
        status = Freshness.ERROR
    elif rule.warn_after is not None and age > rule.warn_after:
        status = Freshness.WARN
    return SourceAge(source.id, status, rule, newest, age)


def _moment(value: Any) -> dt.datetime | None:
    """A time in UTC: one without a zone is taken as UTC, a day as its beginning."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)
    if isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time(), dt.UTC)
    return None
