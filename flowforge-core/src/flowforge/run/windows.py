"""Builds a model window by window: each is one publication, and one that fails does not keep the others.

A table that stands gets the windows that it lacks, each in the place of what it had. One that has to be built anew is
staged whole, and replaced once, so that nobody ever reads a part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from flowforge.contract import CreateKind, Session
from flowforge.errors import AuditFailedError, EngineError, ErrorKind, FlowForgeError, ModelExecutionError
from flowforge.frozen import frozen
from flowforge.materialize.columns import OnChange, shape_of
from flowforge.materialize.increments import Growth, Increment, Strategy, refuse_outside
from flowforge.materialize.moments import TimeKind, time_kind
from flowforge.materialize.noting import MovedError, Noting
from flowforge.materialize.steps import Publication, Published, Writer
from flowforge.project.manifest import Node
from flowforge.project.windows import Window
from flowforge.run.batches import Batch, event_time_of
from flowforge.run.compile import Compiled
from flowforge.run.ledger import Decision
from flowforge.run.plan import PlanNode
from flowforge.run.sessions import Sessions
from flowforge.run.span import all_windows, is_late, settings_of
from flowforge.run.survey import Survey, due, survey_of
from flowforge.state.windows import WindowNote, data_id_of, new_generation, windows_table
from flowforge.values import Location, Relation, RelationKind

if TYPE_CHECKING:
    from flowforge.run.node import Bench

_ATTEMPTS = 5
_FOR_ALL = (ErrorKind.SYNTAX, ErrorKind.MISSING, ErrorKind.PERMISSION, ErrorKind.AUTH, ErrorKind.UNSUPPORTED)
"""What is wrong with one window is wrong with all of them then."""
_SHOWN = 5


@frozen
class Built:
    """What came of a node's windows.

    Parameters
    ----------
    failed:
        The windows that a retry has to build; none when nothing was replaced, so that it has to build all.
    rows:
        How many rows were written, when it is known.
    """

    published: Published | None
    done: tuple[Window, ...] = ()
    failed: tuple[Window, ...] = ()
    rows: int | None = None
    sql: str | None = None
    error: FlowForgeError | None = None


@frozen
class Workshop:
    """What it takes to build one node's windows.

    Parameters
    ----------
    publish:
        Publishes on a session of its own, and again when a failure may pass.
    explain:
        Turns whatever was raised into an error with a place; takes the query that was running.
    writer:
        Writes the rows of a model in Python, of one window or (``None``) a delta's.
    """

    step: PlanNode
    bench: Bench
    sessions: Sessions
    decision: Decision
    publish: Callable[[Publication], Published]
    explain: Callable[[BaseException, Compiled | None], FlowForgeError]
    writer: Callable[[Batch, bool], Writer | None]
    publication: Publication

    @property
    def node(self) -> Node:
        """The node."""
        return self.step.node

    def build(self) -> Built:
        """Build the windows that are due.

        Raises
        ------
        FlowForgeError
            When nothing could be begun.
        """
        for _ in range(_ATTEMPTS):
            survey, kinds = self._look()
            try:
                return self._carry_out(survey, kinds)
            except MovedError:
                continue
        raise ModelExecutionError(
            "other runs build this table anew again and again, so its windows have no place to go",
            node=self.node.name,
            code="FF2042",
            location=Location(self.node.path),
            help="run again when they have ended",
        )

    def _look(self) -> tuple[Survey, Mapping[str, TimeKind]]:
        bench, relation = self.bench, self.step.relation
        label = f"flowforge/{bench.run_id}/{self.node.short_name}"
        with self.sessions.working(bench.open_session(label, self.node.config.timeout)) as session:
            home, key = bench.publisher.namespace, bench.ledger.key(self.node)
            return survey_of(session, bench.dialect, home, self.node, relation, key), self._kinds(session)

    def _kinds(self, session: Session) -> Mapping[str, TimeKind]:
        """What the columns hold by which inputs are filtered.

        Raises
        ------
        ModelExecutionError
            When there is no such column, or it holds no times.
        """
        bench, compiler = self.bench, self.bench.compiler
        manifest = compiler.manifest
        found = {}
        inputs: dict[str, tuple[str, Relation | str]] = {}
        for name in self.node.depends_on:
            one = manifest.nodes[name]
            if one.config.event_time is not None:
                ephemeral = one.materialized == "ephemeral"
                what: Relation | str = compiler.compile(name).executable if ephemeral else compiler.relation(one)
                inputs[name] = (one.config.event_time, what)
        for id_ in self.node.reads:
            source = manifest.sources[id_]
            column = event_time_of(source, manifest)
            if column is not None:
                inputs[id_] = (column, f"SELECT * FROM {compiler.source(source)}")
        for name, (column, what) in inputs.items():
            try:
                schema = session.schema_of(what)
            except Exception as raised:
                error = bench.error(raised)
                if error is None or error.kind is not ErrorKind.MISSING:
                    raise
                schema = None
            if schema is None:
                continue  # the query will say that it is missing
            types = {field.name.casefold(): field.type for field in schema}
            type_ = types.get(column.casefold())
            kind = time_kind(type_) if type_ is not None else None
            if kind is None:
                problem = "does not exist" if type_ is None else f"holds {type_}"
                raise ModelExecutionError(
                    f"{name.removesuffix('.ff')!r} should be read by its event_time {column!r}, but this column {problem}",
                    node=self.node.name,
                    code="FF2040",
                    location=Location(self.node.path),
                    help="event_time has to name a column that holds dates or timestamps",
                )
            found[name] = kind
        return found

    def _carry_out(self, survey: Survey, kinds: Mapping[str, TimeKind]) -> Built:
        policy, node = self.bench.ledger.policy, self.node
        todo = due(node, self.step.relation, survey, policy)
        if todo.anew:
            return self._anew(todo.windows, kinds)
        return self._grow(all_windows(node, policy.span.now), todo.windows, survey, kinds)

    # window by window

    def _grow(
        self, windows: Sequence[Window], todo: Sequence[Window], survey: Survey, kinds: Mapping[str, TimeKind]
    ) -> Built:
        generation, last_id, stands = survey.generation or new_generation(), survey.last_id, survey.stands
        notes = survey.notes
        made_of = self.publication.fingerprint
        late = is_late(self.node, tuple(windows), notes)
        missing = {one for one in windows if one not in notes or (notes[one].fingerprint != made_of and late(one))}
        done: dict[Window, None] = {}  # in their order; there may be very many
        problems: dict[Window, FlowForgeError] = {}
        published: Published | None = None
        rows: int | None = 0
        kept, compiled, stopped = True, None, False
        for window in todo:
            compiled = None
            batch = Batch(window, kinds)
            note = WindowNote(window, self.bench.run_id, self.bench.ledger.policy.span.now, None, made_of)
            whole = not problems and (not missing or (len(missing) == 1 and window in missing))
            try:
                compiled = self._compiled(batch, incremental=stands)
                publication = attrs.evolve(
                    self.publication,
                    select=compiled.executable if compiled else None,
                    write=self.writer(batch, stands),
                    fingerprint=made_of if whole else "",
                    data_id=data_id_of(generation),
                    increment=self._increment(batch, compiled),
                    from_scratch=False,
                    noting=Noting(
                        windows_table(self.bench.publisher.namespace),
                        generation,
                        lambda count, note=note: [attrs.evolve(note, rows=count)],  # type: ignore[misc]
                        grows=stands,
                        last_id=last_id,
                    ),
                )
                published = self.publish(publication)
            except MovedError:
                raise
            except BaseException as problem:  # noqa: BLE001 - one window's trouble is reported with the others'
                problems[window] = self.explain(problem, compiled)
                kind = _kind_of(problems[window])
                if kind is ErrorKind.CANCELLED or not isinstance(problem, Exception):
                    stopped = True
                if stopped or kind in _FOR_ALL or _is_template_error(problem):
                    break
                continue
            stands, last_id = True, published.row.data_id
            missing.discard(window)
            kept = kept and published.kept
            rows = None if rows is None or published.rows is None else rows + published.rows
            done[window] = None
        failed = tuple(window for window in todo if window not in done)
        error = _error_of(self.node, todo, failed, problems, stopped=stopped) if failed else None
        if published is not None:
            published = attrs.evolve(published, kept=kept)
        return Built(published, tuple(done), failed, rows, compiled.sql if compiled else None, error)

    def _compiled(self, batch: Batch, *, incremental: bool) -> Compiled | None:
        if not self.bench.compiler.has_query(self.node, incremental=incremental):
            return None
        return self.bench.compiler.compile(self.node.name, incremental=incremental, batch=batch)

    def _increment(self, batch: Batch, compiled: Compiled | None, *, strict: bool = False) -> Increment:
        settings = settings_of(self.node)
        return Increment(
            Strategy.MICROBATCH,
            compiled.executable if compiled else None,
            on_change=OnChange.FAIL if strict else OnChange(settings.on_schema_change),
            event_time=settings.event_time,
            window=batch.window,
        )

    # all at once

    def _anew(self, windows: Sequence[Window], kinds: Mapping[str, TimeKind]) -> Built:
        """Stage all windows, and replace what stands there once."""
        generation, bench = new_generation(), self.bench
        made_of = self.publication.fingerprint
        counted: dict[Window, int | None] = {}
        running: list[tuple[Window, Compiled | None]] = []

        def write(session: Session, staged: Relation) -> int | None:
            counted.clear()
            for window in windows:
                batch = Batch(window, kinds)
                running.append((window, None))
                compiled = self._compiled(batch, incremental=False)
                running[-1] = (window, compiled)
                counted[window] = self._stage(session, staged, batch, compiled, first=not counted)
            numbers = list(counted.values())
            return None if None in numbers else sum(number or 0 for number in numbers)

        def notes(_: int | None) -> list[WindowNote]:
            now = bench.ledger.policy.span.now
            return [WindowNote(one, bench.run_id, now, rows, made_of) for one, rows in counted.items()]

        noting = Noting(windows_table(bench.publisher.namespace), generation, notes, replaces=True)
        publication = attrs.evolve(
            self.publication,
            select=None,
            write=write,
            increment=None,
            from_scratch=True,
            data_id=data_id_of(generation),
            noting=noting,
        )
        try:
            published = self.publish(publication)
        except BaseException as problem:  # noqa: BLE001 - a worker reports everything, whatever a driver raises
            window, compiled = running[-1] if running else (None, None)
            error = self.explain(problem, compiled)
            if window is not None and not isinstance(error, AuditFailedError):
                error.notes = (*error.notes, f"in the window {window}; the table is as it was")
            return Built(None, sql=compiled.sql if compiled else None, error=error)
        last = running[-1][1]
        return Built(published, tuple(windows), (), published.rows, last.sql if last else None)

    def _stage(
        self, session: Session, staged: Relation, batch: Batch, compiled: Compiled | None, *, first: bool
    ) -> int | None:
        """Add the rows of one window to those that are staged."""
        bench, node = self.bench, self.node
        increment = self._increment(batch, compiled, strict=True)
        spare = bench.publisher.spare(self.publication)
        write = self.writer(batch, False)

        def make(relation: Relation) -> int | None:
            if compiled is not None:
                cast, options = self.publication.cast, self.publication.options
                if cast is not None:
                    return cast.create(session, relation, compiled.executable, CreateKind.TABLE, options)
                return session.create_as(relation, compiled.executable, CreateKind.TABLE, options).rows
            assert write is not None
            return write(session, relation)

        if first:
            rows = make(staged)
            refuse_outside(session, bench.dialect, staged, increment, node.name)
            return rows
        session.drop(spare, RelationKind.TABLE)  # of an attempt whose connection was lost
        make(spare)
        shape_of(session, bench.dialect, spare, node.name)
        growth = Growth.of(
            session, bench.engine, bench.dialect, target=staged, batch=spare, increment=increment, node=node.name
        )
        growth.write()
        session.drop(spare, RelationKind.TABLE)
        return growth.rows


def _kind_of(error: FlowForgeError) -> ErrorKind | None:
    cause = error.__cause__
    return cause.kind if isinstance(cause, EngineError) else None


def _is_template_error(problem: BaseException) -> bool:
    """Whether the template could not be rendered, which is no matter of the window's rows."""
    from flowforge.errors import RenderError

    return isinstance(problem, RenderError)


def _error_of(
    node: Node,
    todo: Sequence[Window],
    failed: Sequence[Window],
    problems: Mapping[Window, FlowForgeError],
    *,
    stopped: bool,
) -> FlowForgeError:
    """One error for all windows that were not built."""
    first = next(iter(problems.values()))
    if stopped:
        return list(problems.values())[-1]
    listed = ", ".join(str(window) for window in failed[:_SHOWN])
    more = f" and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    were = "was" if len(failed) == 1 else "were"
    message = f"{len(failed)} of {len(todo)} windows {were} not built: {listed}{more}"
    notes = [f"{window}: {error.message}" for window, error in list(problems.items())[:_SHOWN]]
    notes += [note for note in first.notes if len(problems) == 1]
    if len(failed) > len(problems):
        notes.append(f"{len(failed) - len(problems)} of them were not tried: the same would be wrong with them")
    again = "`flowforge retry` builds only these windows"
    help = f"{first.help}; then {again}" if first.help else f"correct it; then {again}"
    error: FlowForgeError
    if all(isinstance(one, AuditFailedError) for one in problems.values()):
        error = AuditFailedError(message, location=first.location, notes=notes, help=help)
    else:
        error = ModelExecutionError(
            message, node=node.name, code="FF2038", location=first.location, notes=notes, help=help
        )
    error.__cause__ = first.__cause__
    return error
