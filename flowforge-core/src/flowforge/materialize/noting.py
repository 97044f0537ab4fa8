"""What is noted of the windows that a publication builds, and whether they may be built into the table that stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flowforge.contract import Dialect, Session
from flowforge.frozen import frozen
from flowforge.state.meta import MetaRow
from flowforge.state.windows import WindowNote, generation_of, note_windows
from flowforge.values import Relation


class MovedError(Exception):
    """Another run has built the table anew since somebody looked which windows it lacks; look again."""


@frozen
class Noting:
    """Notes windows together with the publication of their rows.

    Parameters
    ----------
    table:
        The table of notes.
    generation:
        That of the rows' table, after the publication.
    grows:
        The table has to stand, and to be of this generation already; otherwise none may stand, unless *replaces*.
    last_id:
        The data id that ``_ff_meta`` should show before. When it shows another one, somebody else has written
        windows meanwhile, and what these rows were made from says nothing of the whole table.
    notes:
        The notes, asked for when the rows are written; takes their number, where it is known.
    """

    table: Relation
    generation: str
    notes: Callable[[int | None], Sequence[WindowNote]]
    grows: bool = True
    replaces: bool = False
    last_id: str | None = None

    def is_alone(self, row: MetaRow | None, *, stands: bool) -> bool:
        """Whether nobody else has written since the windows were chosen.

        Raises
        ------
        MovedError
            When another table stands there than the one they were chosen for.
        """
        if self.replaces:
            return True
        standing = generation_of(row.data_id) if row is not None and stands else None
        if standing != self.generation if self.grows else stands:
            raise MovedError
        return self.last_id == (row.data_id if row is not None else None)

    def note(self, session: Session, dialect: Dialect, key: str, rows: int | None) -> None:
        """Write the notes."""
        note_windows(session, dialect, self.table, key, self.generation, self.notes(rows))
