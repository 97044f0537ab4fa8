"""Looks how old the newest rows of sources are."""

from __future__ import annotations

import concurrent.futures
import datetime as dt
import enum
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from flowforge.config.freshness import FreshnessRule
from flowforge.contract import Session
from flowforge.errors import EngineError, FlowForgeError, Note, NothingSelectedError
from flowforge.frozen import frozen
from flowforge.project.manifest import Source
from flowforge.run.options import RunOptions, effective_jobs
from flowforge.run.source_files import newest
from flowforge.run.source_text import files_of
from flowforge.state.assets import AgeNote
from flowforge.state.store import StateStore

if TYPE_CHECKING:
    from flowforge.api.project import Project


class Freshness(enum.Enum):
    """What became of one source."""

    PASS = "pass"
    WARN = "warn"
    ERROR = "error"
    FAILED = "failed"
    """It could not be looked at."""


@frozen
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
    warn: Callable[[Note], None] = lambda note: None,
) -> tuple[SourceAge, ...]:
    """The age of every selected source that has a rule, sorted by id. Several at once, where the engine can.

    The project's memory notes it, for :meth:`Project.status`.

    Parameters
    ----------
    select, exclude:
        Selectors as everywhere; ``group``, ``group.table`` and patterns of them mean sources; all without *select*.
    clock:
        The time in UTC.
    warn:
        Told when the memory cannot be written, which fails nothing.

    Raises
    ------
    UsageError, SelectionError
        When a selector cannot be read, or names what the project does not have.
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
        ages = tuple(pool.map(look, chosen))
    with StateStore.open(project.root / ".flowforge", warn) as store:
        store.assets.note_ages(
            project.profile.name,
            project.engine.name,
            [AgeNote(one.source, clock(), one.status.value, one.newest, one.age, one.message) for one in ages],
        )
    return ages


def _selected(project: Project, select: Sequence[str], exclude: Sequence[str]) -> list[Source]:
    chosen = [source for source in project.select_sources(select, exclude) if source.freshness is not None]
    if not chosen:
        raise NothingSelectedError(
            "no source with a freshness rule is selected",
            help="declare one in sources.yml: freshness: {loaded_at_field: ..., warn_after: {count: 12, period: hour}}",
        )
    return chosen


def _look(project: Project, source: Source, rule: FreshnessRule, clock: Callable[[], dt.datetime]) -> SourceAge:
    executor = project.executor
    try:
        with executor.session(label=f"flowforge/freshness/{source.id}") as session:
            latest = _newest(project, session, source, rule.column)
    except Exception as problem:
        error = problem if isinstance(problem, FlowForgeError) else executor.error(problem)
        if error is None:
            raise
        return SourceAge(source.id, Freshness.FAILED, rule, message=project.redactor.redact(error.message))
    if latest is None:
        worst = Freshness.ERROR if rule.error_after is not None else Freshness.WARN
        return SourceAge(source.id, worst, rule, message="there are no rows")
    age = (clock() - latest).total_seconds()
    status = Freshness.PASS
    if rule.error_after is not None and age > rule.error_after:
        status = Freshness.ERROR
    elif rule.warn_after is not None and age > rule.warn_after:
        status = Freshness.WARN
    return SourceAge(source.id, status, rule, latest, age)


def _newest(project: Project, session: Session, source: Source, column: str | None) -> dt.datetime | None:
    """When the newest row of a source was loaded; ``None``: it has none.

    Raises
    ------
    FlowForgeError
        When nobody can tell.
    """
    if column is None:
        return _newest_file(project, session, source)
    dialect = project.executor.dialect
    sql = f"SELECT MAX({dialect.quote(column)}) AS newest FROM {project.compiler.source(source)}"
    value = session.query(sql).read_all().column(0)[0].as_py()
    moment = _moment(value)
    if moment is None and value is not None:
        raise EngineError(f"{column!r} holds {type(value).__name__} values, which are no times")
    return moment


def _newest_file(project: Project, session: Session, source: Source) -> dt.datetime | None:
    if source.files is None:
        raise EngineError("it is a table on this engine, and the rule names no column: add loaded_at_field")
    project.compiler.source(source)  # raises what is wrong with it
    paths = session.source_files(files_of(source, project.root))
    if paths is None:
        raise EngineError("nobody here knows the age of these files: add loaded_at_field")
    try:
        written = newest(paths)
    except OSError as problem:
        raise EngineError(f"cannot look at its files: {problem.strerror}") from problem
    if written is None:
        raise EngineError(f"there is no file: nothing fits {source.files.location!r}")
    return dt.datetime.fromtimestamp(written, dt.UTC)


def _moment(value: Any) -> dt.datetime | None:
    """A time in UTC: one without a zone is taken as UTC, a day as its beginning."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)
    if isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time(), dt.UTC)
    return None
