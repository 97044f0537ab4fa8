"""Stops the time for a unit test: what its query asks the engine's clock for becomes a moment that stands in the query.

The engine says which type a function of time has, and the moment is cast to that, so that what is computed from it is
of the same kind. What cannot be replaced with certainty is refused by name: time that goes on without being seen would
make a test that fails on some other day. Knows text and one session.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flowforge.contract import Dialect, Session
from flowforge.errors import CheckConfigError
from flowforge.frozen import frozen
from flowforge.project.closure import ClosureReader
from flowforge.project.manifest import Node
from flowforge.project.sql_tokens import NUMBER, SIGN, SqlToken, sql_tokens
from flowforge.project.sql_words import CLOCK, MOMENTS
from flowforge.project.volatile_python import volatile_reasons
from flowforge.project.volatile_sql import Found, scan_rendered
from flowforge.values import Location, Relation

if TYPE_CHECKING:
    import pyarrow as pa

Locate = Callable[[int], Location | None]


def is_time(found: Found) -> bool:
    """Whether a finding is about the clock, and not about chance, counters or the session."""
    text = found.text.strip().lower()
    return text.removesuffix("()") in CLOCK or text.strip("'\"") in MOMENTS


def moving(sql: str, known: Sequence[Relation], dialect: Dialect) -> Sequence[Found]:
    """The functions of a query whose results change by themselves; *known* are the relations that it reads."""
    names = [tuple(dialect.fold(part) for part in (one.database, one.schema, one.name) if part) for one in known]
    return scan_rendered(sql, names, dialect.fold).volatile


@frozen
class Frozen:
    """A query in which the time stands still, and the way back from an offset in it to one in the query as it was."""

    sql: str
    changes: tuple[tuple[int, int, int], ...] = ()
    """Where a piece begins in the new text, its length there, and what to subtract from offsets behind it."""

    def back(self, offset: int) -> int:
        """The offset in the query as it was; the beginning of the piece for one inside of what was put in."""
        moved = 0
        for start, length, behind in self.changes:
            if offset < start:
                break
            if offset < start + length:
                return start - moved
            moved = behind
        return offset - moved


class Clock:
    """A clock that stands still at one moment. One thread.

    Parameters
    ----------
    moment:
        In UTC.
    session:
        Is asked which types functions have; nothing is executed.
    place:
        Of the test, for messages.
    """

    def __init__(self, moment: dt.datetime, dialect: Dialect, session: Session, place: Location) -> None:
        self._moment = moment
        self._dialect = dialect
        self._session = session
        self._place = place
        self._pieces: dict[str, str | None] = {}

    def freeze(self, sql: str, known: Sequence[Relation], locate: Locate | None = None) -> Frozen:
        """*sql* with the moment in place of what the engine's clock would say.

        Parameters
        ----------
        known:
            The relations that it reads.
        locate:
            From an offset to a place in the project's files.

        Raises
        ------
        CheckConfigError
            ``FF3014``, for what cannot be replaced.
        """
        times = [one for one in moving(sql, known, self._dialect) if is_time(one)]
        if not times:
            return Frozen(sql)
        tokens = sql_tokens(sql)
        at = {token.start: index for index, token in enumerate(tokens)}
        parts: list[str] = []
        changes: list[tuple[int, int, int]] = []
        done = moved = 0
        for found in times:
            end = self._end(found, tokens, at.get(found.offset))
            piece = self._piece(sql[found.offset : end]) if end is not None else None
            if end is None or piece is None:
                raise self._refused(found.text, locate(found.offset) if locate is not None else None)
            parts += [sql[done : found.offset], piece]
            moved += len(piece) - (end - found.offset)
            changes.append((found.offset + moved - len(piece) + (end - found.offset), len(piece), moved))
            done = end
        return Frozen("".join([*parts, sql[done:]]), tuple(changes))

    def _end(self, found: Found, tokens: Sequence[SqlToken], index: int | None) -> int | None:
        """Where a function that can be replaced ends; ``None`` for any other."""
        if index is None or found.text.startswith(("'", '"')):
            return None
        if index and tokens[index - 1].kind == SIGN and tokens[index - 1].value == ".":
            return None
        after = tokens[index + 1 : index + 4]
        if after[0].kind != SIGN or after[0].value != "(":
            return tokens[index].end
        if after[1].kind == SIGN and after[1].value == ")":
            return after[1].end
        whole = self._moment.microsecond == 0  # then its precision does not matter
        if whole and after[1].kind == NUMBER and after[2].kind == SIGN and after[2].value == ")":
            return after[2].end
        return None

    def _piece(self, function: str) -> str | None:
        """What stands for a function; ``None`` when it gives neither a date nor a timestamp."""
        if function not in self._pieces:
            schema = self._session.schema_of(f"SELECT {function} AS {self._dialect.quote('ff_moment')}")
            self._pieces[function] = self._as(schema.field(0).type) if schema is not None and len(schema) else None
        return self._pieces[function]

    def _as(self, type_: pa.DataType) -> str | None:
        import pyarrow as pa

        if not (pa.types.is_date(type_) or pa.types.is_timestamp(type_)):
            return None
        # In the zone of the session, as the engine's own clock.
        return self._dialect.cast(self._dialect.literal(self._moment), self._dialect.type_name(type_))

    def _refused(self, text: str, place: Location | None) -> CheckConfigError:
        return CheckConfigError(
            f"the test says which time it is, but {text} cannot be stopped on {self._dialect.name}",
            code="FF3014",
            location=place or self._place,
            help="ask for the time by {{ ff_current_timestamp() }}, or by {{ var('today') }} and `vars:` in the test",
        )


def frozen_function(moment: dt.datetime, dialect: Dialect) -> Callable[[], str]:
    """What ``ff_current_timestamp`` is in a template when the time stands still."""
    naive = moment.astimezone(dt.UTC).replace(tzinfo=None)
    return lambda: f"({dialect.literal(naive)})"


def refuse_clock(root: Path, node: Node, files: Sequence[str], place: Location) -> None:
    """See that Python code does not ask the clock, which nobody can stop for it.

    Parameters
    ----------
    files:
        Where the code begins, relative to *root*.

    Raises
    ------
    CheckConfigError
        ``FF3014``, at the line that asks.
    """
    reader = ClosureReader(root)
    reached = {path for file in files for path in reader.closure(file).reached}
    texts = {path: (root / path).read_text(encoding="utf-8", errors="replace") for path in sorted(reached)}
    asks = next((one for one in volatile_reasons(texts) if one.kind == "clock"), None)
    if asks is not None:
        raise CheckConfigError(
            f"the test says which time it is, but the code of {node.short_name!r} {asks.text}",
            code="FF3014",
            location=asks.location,
            help="give the model its time as a column of an input, or leave `now` out of the test",
            notes=[f"the test is declared at {place}"],
        )
