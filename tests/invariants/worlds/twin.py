"""A second bookkeeping of the database: what stands where, what was noted, and so what a run may do.

It knows contents where FlowForge knows hashes, and was written from the rules, not from the code. FlowForge may skip
where the twin would build as long as the rows are right; it may never build where the twin says that nothing changed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import attrs
from worlds import years
from worlds.growing import begun, grown
from worlds.histories import continued, pruned
from worlds.meaning import CannotBuildError, Standing, evaluate, query_of, rows_of
from worlds.nodes import SCHEMA, Description, Model, Rows
from worlds.writing import says


@attrs.frozen
class Identity:
    """What a node means to its readers: *nodes* is ``None`` when that is not known; *sources* holds contents."""

    nodes: object
    sources: frozenset[tuple[str, Rows | str | None]] = frozenset()

    @property
    def known(self) -> bool:
        """Whether both parts are."""
        return self.nodes is not None and all(content is not None for _, content in self.sources)


@attrs.frozen
class Noted:
    """What FlowForge noted when it last built a relation.

    Parameters
    ----------
    stands_on:
        ``None`` when later runs must not skip it.
    columns:
        Those of the relation right after that.
    hashed:
        Whether equal rows can be told.
    silent:
        The run was told to note nothing that lets later runs skip it.
    """

    node: str
    kind: str
    definition: object
    stands_on: Identity | None
    columns: tuple[tuple[str, str], ...]
    hashed: bool
    silent: bool = False


@attrs.frozen
class Order:
    """What a run was told."""

    mode: str = "rw"
    forced: frozenset[str] = frozenset()
    full_refresh: bool = False
    assume_unchanged: bool = False

    @property
    def reads(self) -> bool:
        """Whether it may skip."""
        return self.mode in ("rw", "ro")

    @property
    def writes(self) -> bool:
        """Whether it notes what it builds."""
        return self.mode in ("rw", "wo")


@attrs.frozen
class Outcome:
    """What a run says that it did with a node: ``success``, ``cached``, ``error``, ``skipped`` ..."""

    status: str
    kept: bool = False
    message: str = ""
    pruned: int = 0


class WrongError(AssertionError):
    """FlowForge did what it must not do."""


class Twin:
    """The bookkeeping."""

    def __init__(self) -> None:
        self.standing: dict[str, Standing] = {}
        self.ids: dict[str, object] = {}
        self.notes: dict[str, Noted] = {}
        self.windows: dict[str, years.Known] = {}
        """Of the relations that were last built window by window."""
        self._count = 0
        self._settled: dict[str, Identity] = {}
        self._uncertain: set[str] = set()
        """Relations that a killed run may have built or not."""

    # -- others change things

    def put(self, relation: str, standing: Standing | None) -> None:
        """Somebody else put something under a name, or removed it."""
        if standing is None:
            self.standing.pop(relation, None)
        else:
            self.standing[relation] = standing

    # -- what is known

    def content(self, relation: str) -> Rows | None:
        """The rows of a relation as they stand, if it can be read."""
        try:
            return rows_of(relation, self.standing)
        except CannotBuildError:
            return None

    def _touched(self, model: Model) -> str | None:
        """How what stands there differs from what was left there."""
        noted, standing = self.notes.get(model.relation), self.standing.get(model.relation)
        if noted is None:
            return "never built"
        if standing is None:
            return "does not stand there"
        if standing.kind != noted.kind or standing.kind != model.kind:
            return "is of another kind"
        content = self.content(model.relation)
        if content is None and standing.query is not None:
            return None  # what the view reads is gone, which is no change of the view
        if content is None or content.columns != noted.columns:
            return "has other columns"
        return None

    def _definition(self, world: Description, model: Model) -> object:
        return says(world, model) if model.knowable else None

    def stands_on(self, world: Description, model: Model) -> Identity:
        """What *model* reads, as it is now."""
        nodes: list[object] | None = []
        sources: set[tuple[str, Rows | str | None]] = set()
        for one in model.inputs:
            read = world.read(one)
            if read is not None:
                identity = self.identity(world, read)
                sources |= identity.sources
                nodes = None if nodes is None or identity.nodes is None else [*nodes, (one, identity.nodes)]
            elif one.kind == "source":
                name = str(one.name)
                sources.add((name, "assumed" if name in world.assumed else self.content(f"{SCHEMA}.{name}")))
            else:
                nodes = None
        return Identity(None if nodes is None else tuple(nodes), frozenset(sources))

    def identity(self, world: Description, model: Model) -> Identity:
        """What *model* means to its readers, as far as it is known."""
        if model.name in self._settled:
            return self._settled[model.name]
        if model.holds_rows:
            return Identity(None if self._touched(model) else self.ids[model.relation])
        below = self.stands_on(world, model)
        definition = self._definition(world, model)
        if model.materialized == "view":
            noted = self.notes.get(model.relation)
            if self._touched(model) or noted is None or noted.stands_on is None or noted.definition != definition:
                definition = None
        if definition is None or below.nodes is None:
            return Identity(None, below.sources)
        return Identity((definition, below.nodes), below.sources)

    def why_build(self, world: Description, model: Model, order: Order) -> str | None:
        """A reason to build *model* now; ``None``: nothing changed, so it must be skipped."""
        noted = self.notes.get(model.relation)
        if not order.reads:
            return f"the cache is {order.mode}"
        if model.name in order.forced or order.full_refresh:
            return "asked for"
        touched = self._touched(model)
        if touched is not None or noted is None:
            return touched
        if noted.stands_on is None:
            return "the last build noted nothing"
        if noted.node != model.name:
            return f"{noted.node} was built there"
        definition = self._definition(world, model)
        if definition is None:
            return "volatile"
        if definition != noted.definition:
            return "changed"
        now = self.stands_on(world, model)
        if now.nodes is None:
            return "an input of unknown state"
        if now.nodes != noted.stands_on.nodes:
            return "an input changed"
        if model.in_windows and years.lacks_a_window(self._known_windows(model), world.now):
            return "a window has begun"
        if order.assume_unchanged:
            return None
        if not now.known:
            return "a source of unknown state"
        return None if now == noted.stands_on else "a source changed"

    def _known_windows(self, model: Model) -> years.Known | None:
        """What is noted of the windows of *model*, if its table is the one that they were built into."""
        known, standing = self.windows.get(model.relation), self.standing.get(model.relation)
        is_table = standing is not None and standing.kind == "table"
        return known if known is not None and known.node == model.name and is_table else None

    def _due(self, world: Description, model: Model, from_nothing: bool) -> years.Due:
        standing, content = self.standing.get(model.relation), self.content(model.relation)
        columns = None if standing is None else content.columns if content is not None else ()
        return years.due(model, self._known_windows(model), columns, world.now, from_nothing)

    def _by_windows(self, world: Description, model: Model, whole: Rows, from_nothing: bool) -> list[Rows]:
        """What the table holds after each step of a run; at least one.

        Raises
        ------
        CannotBuildError
            When somebody changed the table.
        """
        standing, todo = self.standing.get(model.relation), self._due(world, model, from_nothing)
        return list(years.after(standing.rows if standing is not None else None, whole, todo))

    # -- a run

    def run(
        self, world: Description, order: Order, outcomes: Mapping[str, Outcome], keep_last: int | None = None
    ) -> Iterator[str]:
        """Follow a run that has ended, node by node, and yield a line on each.

        Parameters
        ----------
        outcomes:
            By name of the node; those that are missing were not selected.
        keep_last:
            How many versions of each key histories keep; ``None``: all.

        Raises
        ------
        WrongError
            When it skipped or built what it should not have.
        """
        self._settled = {}
        for model in world.nodes():
            outcome = outcomes.get(model.name)
            if outcome is not None and model.materialized != "ephemeral":
                yield self._follow(world, model, order, outcome)
                if keep_last is not None:
                    self._prune(model, keep_last, outcome)
        self._settled = {}

    def _follow(self, world: Description, model: Model, order: Order, outcome: Outcome) -> str:
        reason = self.why_build(world, model, order)
        below = self.stands_on(world, model)
        line = f"{model.name}: {outcome.status}{' (kept)' if outcome.kept else ''}; twin: {reason or 'nothing changed'}"
        quiet = False
        try:
            rows, quiet = self._rows(world, model, from_nothing=order.full_refresh)
        except CannotBuildError as error:
            rows, line = None, f"{line}; cannot be built: {error}"
        if outcome.status == "skipped":
            return line
        if outcome.status == "error":
            if rows is not None or reason is None:
                raise WrongError(f"{line}\nit failed, but should not have: {outcome.message}")
            return line
        if outcome.status == "cached":
            self._check_skip(model, order, rows, reason, line, any("assumed" in one for one in below.sources))
            if model.relation in self._uncertain and rows is not None:
                # By the run that was killed, which noted it: otherwise nobody could skip it now.
                self._publish(world, model, attrs.evolve(order, mode="rw"), below, rows, False)
            self._settle(world, model, below)
            return line
        if outcome.status != "success":
            raise WrongError(f"{line}\nan outcome that the world does not have: {outcome.message}")
        if rows is None:
            raise WrongError(f"{line}\nit was built, but could not be")
        if reason is None:
            raise WrongError(f"{line}\nit was built, though nothing changed")
        grows = self._grows(model) and (model.materialized == "snapshot" or not order.full_refresh)
        may_keep = order.reads and model.name not in order.forced and model.relation not in self._uncertain
        if grows and quiet and may_keep and not outcome.kept and self._touched(model) is None:
            raise WrongError(f"{line}\nnone of its rows is new, but it says that it wrote some")
        hashed = not grows and not model.in_windows and self._hashes(world, model, order)
        self._check_kept(model, order, rows, outcome, line, hashed)
        self._note_windows(world, model, order, rows)
        self._publish(world, model, order, below, rows, outcome.kept)
        self._settle(world, model, below)
        return line

    def _grows(self, model: Model) -> bool:
        """Whether there is a table that rows of *model* are added to."""
        standing = self.standing.get(model.relation)
        stored = model.materialized in ("incremental", "snapshot")
        return stored and standing is not None and standing.kind == "table"

    def _rows(self, world: Description, model: Model, *, from_nothing: bool = False) -> tuple[Rows, bool]:
        """What the relation has to hold after a build, and whether that changes nothing.

        Raises
        ------
        CannotBuildError
            When a build has to fail.
        """
        whole = evaluate(query_of(world, model), self.standing)
        before = self.standing.get(model.relation)
        history = before is not None and before.history
        if history is (model.materialized != "snapshot") and before is not None:
            raise CannotBuildError("nothing takes the place of a history, and none takes the place of something else")
        if model.materialized == "snapshot":
            after = continued(model, before.rows if before is not None else None, whole, world.now)
            return after.rows, after.quiet
        if model.materialized != "incremental":
            return whole, False
        if model.in_windows:
            return self._by_windows(world, model, whole, from_nothing)[-1], False
        if from_nothing or not self._grows(model):
            return begun(model, whole), False
        after = grown(model, rows_of(model.relation, self.standing), whole)
        return after.rows, after.quiet

    def _check_skip(
        self, model: Model, order: Order, rows: Rows | None, reason: str | None, line: str, assumed: bool
    ) -> None:
        if not order.reads or model.name in order.forced or order.full_refresh:
            raise WrongError(f"{line}\nit was skipped, though it was to be built in any case")
        if not model.knowable:
            raise WrongError(f"{line}\nit was skipped, though it is volatile")
        noted = self.notes.get(model.relation)
        if noted is not None and noted.silent:
            raise WrongError(f"{line}\nit was skipped, though the last build was told to note nothing")
        if reason == "a window has begun":
            raise WrongError(f"{line}\nit was skipped, though a window was never built")
        if reason is None and (order.assume_unchanged or assumed):
            return  # it may be old: that is what was asked for
        if reason == "never built" and model.relation not in self._uncertain:
            raise WrongError(f"{line}\nit was skipped, though nobody ever built it")
        stands = self.content(model.relation)
        if rows is None or stands != rows:
            raise WrongError(f"{line}\nstale: it was skipped with {stands}\nbut should hold {rows}")

    def _check_kept(self, model: Model, order: Order, rows: Rows, outcome: Outcome, line: str, read: bool) -> None:
        """*read*: others read it, so that it pays to tell equal rows; a seed is known by its file, not by its rows."""
        stands, noted = self.content(model.relation), self.notes.get(model.relation)
        uncertain = model.relation in self._uncertain
        same = stands == rows and (uncertain or self._touched(model) is None)
        if outcome.kept and not same:
            raise WrongError(f"{line}\nstale: {stands}\nwas kept instead of {rows}")
        asked_for = model.name in order.forced or order.full_refresh
        strict = read and order.reads and not asked_for and model.holds_rows
        if strict and same and noted is not None and noted.hashed and not outcome.kept:
            raise WrongError(f"{line}\nits rows stood there already, but were replaced")

    def _publish(self, world: Description, model: Model, order: Order, below: Identity, rows: Rows, kept: bool) -> None:
        grew = model.materialized == "snapshot" or (self._grows(model) and not order.full_refresh) or model.in_windows
        if not kept:
            self._count += 1
            by_content = model.language == "seed" and order.mode != "off"
            self.ids[model.relation] = says(world, model) if by_content else self._count
            if model.kind == "view" and model.language == "sql":
                self.standing[model.relation] = Standing("view", query=query_of(world, model))
            else:
                history = model.materialized == "snapshot"
                self.standing[model.relation] = Standing(model.kind, rows=rows, history=history)
        self._uncertain.discard(model.relation)
        definition = self._definition(world, model)
        knowable = order.writes and definition is not None and below.nodes is not None
        before = self.notes.get(model.relation)
        self.notes[model.relation] = Noted(
            node=model.name,
            kind=model.kind,
            definition=definition,
            stands_on=below if knowable else None,
            columns=rows.columns,
            silent=not order.writes,
            hashed=before.hashed if kept and before else not grew and self._hashes(world, model, order),
        )

    def _note_windows(self, world: Description, model: Model, order: Order, rows: Rows) -> None:
        if not model.in_windows:
            self.windows.pop(model.relation, None)
            return
        todo, known = self._due(world, model, order.full_refresh), self._known_windows(model)
        built = {} if todo.anew or known is None or model.relation not in self.standing else dict(known.built)
        built.update(dict.fromkeys(todo.years, world.now))
        self.windows[model.relation] = years.Known(model.name, rows.columns, built)

    def _prune(self, model: Model, keep: int, outcome: Outcome) -> None:
        """Old versions of a history were removed; what reads it in the same run has other rows before it.

        Raises
        ------
        WrongError
            When not as many as there were are said to be gone.
        """
        standing = self.standing.get(model.relation)
        if outcome.status not in ("success", "cached") or standing is None or standing.rows is None:
            return
        rows = pruned(standing.rows, keep)
        assert rows is not None
        gone = len(standing.rows.rows) - len(rows.rows)
        if outcome.pruned != gone:
            raise WrongError(f"{model.name}: {gone} old versions had to go, not {outcome.pruned}")
        if gone:
            self._count += 1
            self.ids[model.relation] = self._count
            self._settled[model.name] = Identity(self._count)
            self.standing[model.relation] = attrs.evolve(standing, rows=rows)

    def _hashes(self, world: Description, model: Model, order: Order) -> bool:
        stored = model.holds_rows and model.language != "seed"
        return order.mode != "off" and stored and bool(world.readers(model.key))

    def _settle(self, world: Description, model: Model, below: Identity) -> None:
        if model.materialized == "view" and not model.holds_rows:
            definition = self._definition(world, model)
            known = definition is not None and below.nodes is not None
            self._settled[model.name] = Identity((definition, below.nodes) if known else None, below.sources)
        elif self._touched(model) is None:
            self._settled[model.name] = Identity(self.ids[model.relation])

    # -- a crash

    def absorb(
        self,
        world: Description,
        names: Collection[str],
        actual: Mapping[str, tuple[str, Any]],
        windows: Mapping[str, Mapping[int, dt.datetime]],
    ) -> list[str]:
        """Learn what a killed run left: under each name stands the old relation or the new one, and nothing else.

        Parameters
        ----------
        names:
            The nodes that it was to build, at most.
        actual:
            What stands in the database.
        windows:
            When each window was built, as it is noted there, by relation.

        Returns
        -------
        The relations of which nobody can tell whether the old query or the new one stands there, because both give
        the same rows now; they need not do so later.

        Raises
        ------
        WrongError
            When one is neither.
        """
        unclear = []
        for model in world.nodes():
            if model.name not in names or model.materialized == "ephemeral":
                continue
            relation, old, new = model.relation, self.standing.get(model.relation), self._new(world, model)
            found = actual.get(relation)
            candidates = [old, *([new] if new is not None else [])]
            if model.in_windows:
                candidates = self._so_far(world, model, old, windows.get(relation, {}))
            fits = [one for one in candidates if self._looks_like(one, found)]
            if not fits:
                wanted = "\nnor ".join(map(str, candidates))
                raise WrongError(f"{model.name}: after a kill {found} stands there, neither\n{wanted}")
            if model.in_windows:
                self._absorb_windows(model, found, windows.get(relation))
            elif fits[-1] != old or found is None:
                self.windows.pop(relation, None)
            self.put(relation, fits[-1])
            if len(fits) > 1 and old != new and new is not None and new.query is not None:
                unclear.append(relation)
            self._count += 1
            self.ids[relation] = self._count
            self.notes.pop(relation, None)
            self._uncertain.add(relation)
        return unclear

    def _so_far(
        self, world: Description, model: Model, old: Standing | None, noted: Mapping[int, dt.datetime]
    ) -> list[Standing | None]:
        """What may stand there when these windows are noted: exactly as many of them as this run has built."""
        done = [year for year, moment in noted.items() if moment == world.now]
        if not done:
            return [old]
        try:
            todo = self._due(world, model, from_nothing=False)
            steps = self._by_windows(world, model, evaluate(query_of(world, model), self.standing), from_nothing=False)
        except CannotBuildError as error:
            raise WrongError(f"{model.name}: it noted {done}, but it cannot be built") from error
        if sorted(done) != list(todo.years if todo.anew else todo.years[: len(done)]):
            raise WrongError(f"{model.name}: it noted {done}, but had to build {todo}")
        return [Standing("table", rows=steps[-1] if todo.anew else steps[len(done) - 1])]

    def _absorb_windows(
        self, model: Model, found: tuple[str, Any] | None, noted: Mapping[int, dt.datetime] | None
    ) -> None:
        if found is None or not noted:
            self.windows.pop(model.relation, None)
        else:
            known = self._known_windows(model)
            columns = known.columns if known is not None else found[1].columns
            self.windows[model.relation] = years.Known(model.name, columns, noted)

    def _new(self, world: Description, model: Model) -> Standing | None:
        """What building *model* would put there; ``None`` when it cannot be built."""
        query = query_of(world, model)
        try:
            rows, _ = self._rows(world, model)
        except CannotBuildError:
            return None
        is_query = model.kind == "view" and model.language == "sql"
        history = model.materialized == "snapshot"
        return Standing("view", query=query) if is_query else Standing(model.kind, rows=rows, history=history)

    def _looks_like(self, standing: Standing | None, found: tuple[str, Any] | None) -> bool:
        if standing is None or found is None:
            return standing is None and found is None
        try:
            content = standing.rows if standing.query is None else evaluate(standing.query, self.standing)
        except CannotBuildError:
            content = None
        return found == (standing.kind, content)
