"""Looks which windows a table holds, and says which of them are to be built."""

from __future__ import annotations

from collections.abc import Mapping

from flowforge.contract import Dialect, Session
from flowforge.errors import ModelExecutionError
from flowforge.frozen import frozen
from flowforge.project.manifest import Node
from flowforge.project.windows import Window
from flowforge.run.ledger import Policy
from flowforge.run.span import all_windows, lacking
from flowforge.state.meta import meta_table, read_meta_row
from flowforge.state.windows import WindowNote, generation_of, read_windows, windows_table
from flowforge.values import Location, Namespace, Relation, RelationKind


@frozen
class Survey:
    """What stands in the database, as one look before the first window found it.

    Parameters
    ----------
    generation:
        That of the table, if it is the one for which windows were noted.
    last_id:
        The data id in ``_ff_meta``.
    altered:
        Somebody else gave it other columns since.
    """

    stands: bool
    generation: str | None
    last_id: str | None
    notes: Mapping[Window, WindowNote]
    altered: bool = False


@frozen
class Due:
    """What to do: *windows*, ascending; *anew*: stage all of them, and replace what stands there."""

    windows: tuple[Window, ...]
    anew: bool


def survey_of(session: Session, dialect: Dialect, home: Namespace, node: Node, relation: Relation, key: str) -> Survey:
    """What stands under a node's name, and which windows of it were built; nothing has to be there.

    Parameters
    ----------
    home:
        The profile's own name space, where the notes are.
    key:
        The relation's :func:`~flowforge.state.meta.relation_key`.
    """
    meta, windows = meta_table(home), windows_table(home)
    row = read_meta_row(session, dialect, meta, key) if session.kind_of(meta) is not None else None
    kind = session.kind_of(relation)
    generation, altered = None, False
    if row is not None and kind is RelationKind.TABLE and row.node_name == node.name:
        layout = session.layout(relation)
        generation = generation_of(row.data_id)
        altered = bool(generation is not None and row.layout and layout is not None and layout != row.layout)
    notes: Mapping[Window, WindowNote] = {}
    if generation is not None and session.kind_of(windows) is not None:
        notes = read_windows(session, dialect, windows, key, generation)
    return Survey(kind is not None, generation, row.data_id if row is not None else None, notes, altered)


def due(node: Node, relation: Relation, survey: Survey, policy: Policy) -> Due:
    """The windows that a run has to build.

    Raises
    ------
    ModelExecutionError
        When there are none, or when single ones were named of a table of which nothing is known.
    """
    span = policy.span
    windows = all_windows(node, span.now)
    named = span.names_windows(node)
    only = named and node.name in span.only
    if survey.altered and not policy.from_scratch:
        # Building all windows anew would lose those whose sources no longer have their rows.
        raise ModelExecutionError(
            f"{relation} has other columns than its windows were built with: somebody changed the table",
            node=node.name,
            code="FF2042",
            location=Location(node.path),
            help="undo that change, or build all windows anew with --full-refresh",
        )
    if survey.stands and (survey.generation is None or (policy.from_scratch and not only)):
        if named and not only:
            raise ModelExecutionError(
                f"which windows {relation} holds is not known, so single ones cannot be built into it",
                node=node.name,
                code="FF2042",
                location=Location(node.path),
                help="build it once without --event-time-start and --event-time-end",
            )
        return Due(windows, anew=True)
    todo = span.named(node) if named else lacking(node, windows, survey.notes)
    if not todo:
        raise ModelExecutionError(
            f"{node.short_name!r} has no window in the time that was named",
            node=node.name,
            code="FF2041",
            location=Location(node.path),
            help=f"its windows are {windows[0]} to {windows[-1]} (UTC)",
        )
    return Due(todo, anew=False)
