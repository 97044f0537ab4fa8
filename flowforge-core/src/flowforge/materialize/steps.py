"""The single steps of publishing one relation, which both branches of the protocol take in their own order.

Knows sessions and ``_ff_meta``; nothing of transactions, leases or the order of steps.
"""

from __future__ import annotations

import datetime as dt
import functools
import uuid
from collections.abc import Callable

import attrs

from flowforge.contract import Capability, CreateKind, Dialect, EngineSpec, Session, TableOptions
from flowforge.errors import ModelExecutionError
from flowforge.frozen import frozen
from flowforge.materialize.casting import Casting
from flowforge.materialize.history import NOTED, History, Past, refuse_what_is_no_history
from flowforge.materialize.hooks import Hooks
from flowforge.materialize.increments import Growth, Increment, refuse_bad_keys, refuse_outside, stage_new_rows
from flowforge.materialize.noting import Noting
from flowforge.materialize.pruning import kept_versions, old_versions
from flowforge.materialize.quarantine import Hold, Kept, Quarantine
from flowforge.materialize.staging import staging_name
from flowforge.materialize.versions import Spares, Versions, first_versions
from flowforge.state.fingerprint import digest, parse_fingerprint
from flowforge.state.meta import ALONE, MetaRow, read_meta_row, relation_key
from flowforge.state.windows import data_id_of
from flowforge.values import Namespace, Relation, RelationKind

Audit = Callable[[Session, str], None]
"""Called with the session and the SQL of the staged rows (a relation, or a subquery); raises to refuse them."""

Writer = Callable[[Session, Relation], int | None]
"""Creates the given staging table and returns its number of rows, if known."""


@frozen
class Publication:
    """One relation that is to be written.

    Parameters
    ----------
    fingerprint:
        The text to note; empty: do not let later runs skip it.
    data_id:
        To note, unless the standing rows are kept.
    select:
        The query whose rows it gets; or
    write:
        the function that writes the staging table. For a view made of rows, *backing* is the table under it.
    increment:
        How rows are added to those that stand there; nothing else is written then. Without a table of this name, the
        rows are written as for any other table, and only their keys are looked at.
    history:
        How the rows become versions of those that stand there. Nothing else ever takes the place of a history.
    from_scratch:
        Replace the table, though it could grow.
    hash_rows:
        Note the content hash of the rows, where the engine can make one.
    may_keep:
        Leave what stands there alone when its rows are equal to the new ones, or when another run has just built it
        from the same fingerprint.
    retired:
        A table that an earlier form of the node left beside its relation, and that nobody will need any more.
    allow_non_atomic:
        On an engine without transactions around DDL that has no atomic replacement either: replace all the same.
    noting:
        What to note of the windows that the rows belong to.
    options:
        What the relation should be like beside its rows; for a view made of rows, what the view should be like.
    hooks, growing_hooks:
        What is run before and after; the second, when rows are added to a table that stands.
    cast:
        The casts of the query's rows; those of *write* are its own matter.
    quarantine:
        Where new rows go that fail checks; *hold* is the present attempt to part them.
    vacant:
        Nothing stood under its name when the run began. It may be wrong by now.
    """

    node: str
    target: Relation
    kind: RelationKind
    fingerprint: str
    data_id: str
    select: str | None = None
    write: Writer | None = None
    backing: Relation | None = None
    retired: Relation | None = None
    options: TableOptions = TableOptions()
    increment: Increment | None = None
    history: History | None = None
    from_scratch: bool = False
    hash_rows: bool = False
    may_keep: bool = False
    allow_non_atomic: bool = False
    noting: Noting | None = None
    hooks: Hooks = Hooks()
    growing_hooks: Hooks | None = None
    cast: Casting | None = None
    quarantine: Quarantine | None = None
    hold: Hold | None = None
    vacant: bool = False

    @property
    def prunes(self) -> bool:
        """Whether old versions are removed from a history, and nothing else is done."""
        return self.history is not None and self.history.keep_last is not None

    @property
    def is_query(self) -> bool:
        """Whether it is a view over a query, so that no rows are written."""
        return self.kind is RelationKind.VIEW and self.select is not None

    @property
    def outlasts(self) -> bool:
        """Whether something is to be run when all else is committed."""
        return self.hooks.outlasts or (self.growing_hooks is not None and self.growing_hooks.outlasts)

    @property
    def can_stand_at_once(self) -> bool:
        """Whether it may be made under its own name, and be looked at there before anybody else sees it.

        That is for what nothing has to give way to: the first build of a plain table or view.
        """
        more = (self.backing, self.increment, self.history, self.quarantine, self.retired, self.noting)
        return (
            self.vacant
            and self.kind in (RelationKind.TABLE, RelationKind.VIEW)
            and all(one is None for one in more)
            and not (self.options.named or self.hooks.before or self.hooks.after)
        )

    @property
    def staged_kind(self) -> RelationKind:
        """What the new rows are staged as."""
        materialized = self.kind is RelationKind.MATERIALIZED_VIEW
        return RelationKind.MATERIALIZED_VIEW if materialized else RelationKind.TABLE

    @property
    def table(self) -> Relation:
        """The table that gets the rows; of no meaning for a view over a query."""
        return self.backing or self.target


@frozen
class Published:
    """What came of a publication.

    Parameters
    ----------
    row:
        What now stands in ``_ff_meta``.
    rows:
        How many rows were written (or found equal), when it is known.
    kept:
        The standing relation was left alone.
    aside:
        Which rows were put into the quarantine; ``None``: nobody looked.
    """

    row: MetaRow
    rows: int | None
    kept: bool
    aside: Kept | None = None


@frozen
class Staged:
    """New rows that nobody reads yet.

    Parameters
    ----------
    grown:
        It is the table that stands there with some rows changed, and its *content* is not worth a scan of them all.
    stands:
        It is the table that stands there itself: nothing is new.
    """

    relation: Relation
    rows: int | None
    content: str = ""
    grown: bool = False
    stands: bool = False


@frozen
class Steps:
    """What it takes to publish one relation.

    Parameters
    ----------
    namespace:
        The profile's own.
    clock:
        The time in UTC; it is only noted, nothing is decided by it.
    """

    engine: EngineSpec
    dialect: Dialect
    namespace: Namespace
    run_id: str
    meta_table: Relation
    clock: Callable[[], dt.datetime]

    def noted(self, session: Session, target: Relation) -> MetaRow | None:
        """What ``_ff_meta`` says of *target*."""
        return read_meta_row(session, self.dialect, self.meta_table, self._key(target))

    def _key(self, target: Relation) -> str:
        return relation_key(self.dialect, target, self.namespace)

    # is anything to be done?

    def is_built(self, session: Session, publication: Publication, row: MetaRow | None) -> bool:
        """Whether another run has built the very same, and it stands there as that run left it.

        What was built under another name is not the same: it has to be noted under this one.
        """
        if (
            not publication.may_keep
            or row is None
            or row.node_name != publication.node
            or publication.noting is not None
        ):
            return False
        mine, theirs = parse_fingerprint(publication.fingerprint), parse_fingerprint(row.fingerprint)
        return (
            mine is not None and theirs is not None and mine.same_as(theirs) and self.stands(session, publication, row)
        )

    def alone(self, session: Session, publication: Publication, row: MetaRow | None) -> Publication:
        """The publication of windows as it may be carried out: without a fingerprint when another run has interfered.

        Raises
        ------
        MovedError
            When another table stands there than the one that the windows were chosen for.
        """
        if publication.noting is None:
            return publication
        stands = session.kind_of(publication.target) is not None
        if publication.noting.is_alone(row, stands=stands):
            return publication
        return attrs.evolve(publication, fingerprint="")

    def note_windows(self, session: Session, publication: Publication, rows: int | None) -> None:
        """Note the windows that the rows belong to, if they belong to any."""
        if publication.noting is not None:
            publication.noting.note(session, self.dialect, self._key(publication.target), rows)

    def are_equal(self, session: Session, publication: Publication, staged: Staged, row: MetaRow | None) -> bool:
        """Whether the staged rows are those that stand there already, under the same columns."""
        if not publication.may_keep or row is None or not staged.content or row.content != staged.content:
            return False
        standing = session.layout(publication.table)
        return session.layout(staged.relation) == standing and self.stands(session, publication, row)

    def stands(self, session: Session, publication: Publication, row: MetaRow) -> bool:
        """Whether the relation stands there as *row* says that it was left: of its kind, and with its columns."""
        backing = publication.backing
        if backing is not None and session.kind_of(backing) is not RelationKind.TABLE:
            return False
        if not row.layout or session.kind_of(publication.target) is not publication.kind:
            return False
        return session.layout(publication.target) == row.layout

    def is_as_noted(self, session: Session, publication: Publication, row: MetaRow | None) -> bool:
        """Whether the history that stands there has the columns that the last run noted."""
        return row is not None and row.content == NOTED and session.layout(publication.target) == row.layout

    # doing it

    def held(self, publication: Publication, *, at_once: bool) -> Publication:
        """*publication*, ready for one attempt to part its rows, if they are to be parted.

        Parameters
        ----------
        at_once:
            All that is written becomes visible together.
        """
        if publication.quarantine is None or publication.prunes:
            return publication
        hold = Hold(
            publication.quarantine,
            self.dialect,
            self.run_id,
            self.clock(),
            functools.partial(self.spare, publication),
            at_once,
        )
        return attrs.evolve(publication, hold=hold)

    def staging(self, publication: Publication) -> Relation:
        """Where this run writes the new rows, before anybody reads them."""
        table = publication.table
        return table.renamed(staging_name(table.name, self.run_id, limit=self.dialect.max_identifier_bytes))

    def stage(self, session: Session, publication: Publication, *, at_once: bool = False) -> Staged:
        """Write the new rows; *at_once* under the name that they are to have."""
        staged = publication.target if at_once else self.staging(publication)
        kind = CreateKind[publication.staged_kind.name]
        if publication.history is not None:
            return self._first_versions(session, publication, publication.history)
        if publication.write is not None:
            rows = publication.write(session, staged)
        else:
            rows = self._create(session, publication, staged, kind, publication.options.at_creation)
        if publication.hold is not None:
            publication.hold.part(session, staged, publication.options.at_creation)
            rows = rows if publication.hold.good is None else publication.hold.good
        self.index(session, publication, staged)
        if publication.increment is not None:
            refuse_bad_keys(session, self.dialect, staged, publication.increment, publication.node)
            refuse_outside(session, self.dialect, staged, publication.increment, publication.node)
        return Staged(staged, rows)

    def index(self, session: Session, publication: Publication, staged: Relation) -> None:
        """Make indexes before the new rows take their place: nobody waits for them, and doubled rows show in time."""
        if session.carries_indexes and publication.options.indexes and publication.backing is None:
            session.apply_options(staged, TableOptions(indexes=publication.options.indexes))

    def furnish(self, session: Session, publication: Publication) -> None:
        """Give the relation that stands in its place what is not given to a staged one, or was not.

        A table that grew may have been made with other options.
        """
        if publication.options.named or publication.increment is not None or publication.history is not None:
            session.apply_options(publication.target, publication.options)

    def grows(self, session: Session, publication: Publication) -> bool:
        """Whether there is a table that the new rows are added to."""
        if publication.increment is None or publication.from_scratch:
            return False
        return session.kind_of(publication.target) is RelationKind.TABLE

    def growth(self, session: Session, publication: Publication) -> Growth:
        """Write the new rows to a relation of their own, and compare them with the table."""
        increment, batch = publication.increment, self.spare(publication)
        assert increment is not None
        session.drop(batch, RelationKind.TABLE)  # of an attempt whose connection was lost
        stage_new_rows(
            session,
            self.dialect,
            target=publication.target,
            batch=batch,
            spare=self.staging(publication),
            increment=increment,
            write=increment.write or publication.write,
            node=publication.node,
            cast=publication.cast,
        )
        if publication.hold is not None:
            publication.hold.part_increment(session, batch, increment)
        return Growth.of(
            session,
            self.engine,
            self.dialect,
            target=publication.target,
            batch=batch,
            increment=increment,
            node=publication.node,
        )

    def stage_grown(self, session: Session, publication: Publication, growth: Growth) -> Staged:
        """Write all rows that the table is to have, old and new."""
        staged = self.staging(publication)
        session.create_as(staged, growth.rewritten(), CreateKind.TABLE, publication.options.at_creation)
        session.drop(growth.batch, RelationKind.TABLE)
        self.index(session, publication, staged)
        return Staged(staged, growth.rows)

    def spare(self, publication: Publication, word: str = "new") -> Relation:
        """Another relation of this run's own."""
        table = publication.table
        name = staging_name(f"{table.name}__{word}", self.run_id, limit=self.dialect.max_identifier_bytes)
        return table.renamed(name)

    # histories

    def refuse_to_lose_a_history(self, session: Session, publication: Publication, row: MetaRow | None) -> None:
        """Say that a table holds what nothing could make again.

        Raises
        ------
        ModelExecutionError
            When it would be replaced.
        """
        if publication.history is not None or row is None or row.content != NOTED:
            return
        if session.kind_of(publication.target) is RelationKind.TABLE:
            raise ModelExecutionError(
                f"the table {publication.target} is the history of a snapshot, which no run could make again",
                node=publication.node,
                code="FF2037",
                help="rename or drop it if nobody needs it, give the model another name, or make it a snapshot again",
            )

    def past(self, session: Session, publication: Publication) -> Past | None:
        """The history that stands there; ``None``: none yet.

        Raises
        ------
        ModelExecutionError
            When something else stands there.
        """
        past = refuse_what_is_no_history(session, self.dialect, publication.target, publication.node)
        if past is None and publication.prunes:
            raise ModelExecutionError(f"{publication.target} is gone", node=publication.node, code="FF2030")
        return past

    def spares(self, publication: Publication) -> Spares:
        """The relations in which versions are made."""
        return Spares(*(self.spare(publication, word) for word in ("new", "changed", "versions")))

    def _stage_rows(self, session: Session, publication: Publication) -> Spares:
        spares = self.spares(publication)
        spares.drop(session)  # of an attempt whose connection was lost
        if publication.write is not None:
            publication.write(session, spares.batch)
        else:
            self._create(session, publication, spares.batch, CreateKind.TABLE, TableOptions())
        if publication.hold is not None:
            publication.hold.part(session, spares.batch)
        return spares

    def _create(
        self, session: Session, publication: Publication, relation: Relation, kind: CreateKind, options: TableOptions
    ) -> int | None:
        """Make a relation of the publication's query."""
        assert publication.select is not None
        if publication.cast is not None:
            return publication.cast.create(session, relation, publication.select, kind, options)
        return session.create_as(relation, publication.select, kind, options).rows

    def as_cast(self, session: Session, publication: Publication) -> Publication:
        """The publication of a view over its query with casts; any other is cast when its rows are staged."""
        if publication.cast is None or not publication.is_query or publication.select is None:
            return publication
        return attrs.evolve(publication, select=publication.cast.view(session, publication.select), cast=None)

    def _first_versions(self, session: Session, publication: Publication, history: History) -> Staged:
        spares, staged = self._stage_rows(session, publication), self.staging(publication)
        rows = first_versions(
            session, self.dialect, spares, history, publication.node, staged, publication.options.at_creation
        )
        self.index(session, publication, staged)
        return Staged(staged, rows)

    def versions(self, session: Session, publication: Publication, past: Past) -> Versions:
        """Stage the rows of the query, and compare them with the history."""
        assert publication.history is not None
        spares = self._stage_rows(session, publication)
        return Versions.of(
            session, self.dialect, publication.target, past, spares, publication.history, publication.node
        )

    def stage_versions(self, session: Session, publication: Publication, versions: Versions) -> Staged:
        """Write all versions that the history is to have."""
        staged = self.staging(publication)
        session.create_as(staged, versions.rewritten(), CreateKind.TABLE, publication.options.at_creation)
        versions.spares.drop(session)
        self.index(session, publication, staged)
        return Staged(staged, versions.opened)

    def old_versions(self, session: Session, publication: Publication) -> int:
        """How many versions are older than those that are to be kept."""
        assert publication.history is not None
        return old_versions(session, self.dialect, publication.target, publication.history)

    def stage_kept(self, session: Session, publication: Publication, past: Past) -> Staged:
        """Write the versions that are to be kept."""
        assert publication.history is not None
        staged = self.staging(publication)
        session.drop(staged, RelationKind.TABLE)
        select = kept_versions(self.dialect, publication.target, publication.history, past)
        session.create_as(staged, select, CreateKind.TABLE, publication.options.at_creation)
        self.index(session, publication, staged)
        return Staged(staged, None)

    def hashed(self, session: Session, publication: Publication, staged: Staged) -> Staged:
        """*staged* with the hash of its rows, where it is asked for and can be had."""
        if staged.grown or staged.stands:
            return staged
        return attrs.evolve(staged, content=self.content(session, publication, staged.relation))

    def content(self, session: Session, publication: Publication, relation: Relation) -> str:
        """What tells the rows of *relation*, and the options of the publication, from others; empty: nobody knows."""
        wanted = publication.hash_rows and publication.history is None and not publication.outlasts
        if not wanted or not self.engine.support(Capability.CONTENT_HASH):
            return ""
        content = session.content_hash(relation) or ""
        options = publication.options
        return f"{content}+{digest(repr(options))}" if content and options.named else content

    def audit(self, session: Session, publication: Publication, staged: Staged | None, audit: Audit | None) -> None:
        """Let *audit* see the new rows: the staged ones, or those of a view's query."""
        if audit is not None:
            audit(session, f"(\n{publication.select}\n)" if staged is None else self.dialect.render(staged.relation))

    def replace(
        self, session: Session, publication: Publication, staged: Staged | None, *, at_once: bool = False
    ) -> None:
        """Let the new rows, or the new view, take the place of what stands there; *at_once*: of nothing."""
        if at_once:
            if publication.is_query and publication.select is not None:
                session.create_as(publication.target, publication.select, CreateKind.VIEW)
            return
        if staged is None:
            assert publication.select is not None
            session.replace_view(publication.target, publication.select)
        else:
            session.replace(staged.relation, publication.table)
            if publication.backing is not None:
                session.replace_view(publication.target, f"SELECT * FROM {self.dialect.render(publication.backing)}")
        self.furnish(session, publication)
        if publication.retired is not None:
            session.drop(publication.retired, RelationKind.TABLE)

    def new_row(
        self, session: Session, publication: Publication, staged: Staged | None, before: MetaRow | None
    ) -> MetaRow:
        """The note on what was just put in place; *before* is the last one."""
        return MetaRow(
            node_name=publication.node,
            relation=self._key(publication.target),
            fingerprint=publication.fingerprint,
            data_id=publication.data_id,
            engine=self.engine.name,
            run_id=self.run_id,
            built_at=self.clock(),
            rows=staged.rows if staged else None,
            content=NOTED if publication.history is not None else staged.content if staged else "",
            layout=session.layout(publication.target) or "",
            sequence=before.next_sequence if before else ALONE if publication.can_stand_at_once else 1,
        )

    def unknown_row(self, publication: Publication, before: MetaRow | None) -> MetaRow:
        """A note that nobody knows what stands there; its data id will never be seen again.

        Where windows are added to a table, it is still that table, and a window that was not noted is built once more.
        """
        noting = publication.noting
        keeps = noting is not None and not noting.replaces
        return MetaRow(
            node_name=publication.node,
            relation=self._key(publication.target),
            fingerprint="",
            data_id=data_id_of(noting.generation) if noting is not None and keeps else uuid.uuid4().hex,
            engine=self.engine.name,
            run_id=self.run_id,
            built_at=self.clock(),
            content=NOTED if publication.history is not None else "",
            sequence=before.next_sequence if before else 1,
        )

    def kept_row(self, publication: Publication, row: MetaRow) -> MetaRow:
        """The note on rows that were built again, found equal, and left where they are."""
        return attrs.evolve(
            row,
            node_name=publication.node,
            fingerprint=publication.fingerprint,
            engine=self.engine.name,
            run_id=self.run_id,
            built_at=self.clock(),
            sequence=row.next_sequence,
        )
