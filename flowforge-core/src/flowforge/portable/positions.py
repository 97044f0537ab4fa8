"""From a place in translated SQL back to the place in the query that it was made from.

A parser keeps the offsets of names and literals, and a generator writes them down unchanged. So the query is generated
a second time, with an invisible mark behind each of them; without its marks, that text has to be the first one, or
nothing is known. Between two marks lies whatever stood between the same two in the query, in words of another dialect.
Only what is certain is told.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence

from flowforge.frozen import frozen

_OPEN, _CLOSE = "\U000ffb00", "\U000ffb01"
_MARK = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
_WORD = re.compile(r"\w+")


def mark(offset: int) -> str:
    """An invisible sign: what stands in front of it began at *offset* of the query."""
    return f"{_OPEN}{offset}{_CLOSE}"


@frozen
class Origin:
    """A place in the query that was translated; *exact*, or only somewhere in its line."""

    offset: int
    exact: bool


@frozen
class Positions:
    """Where the parts of one translated query come from.

    Parameters
    ----------
    sql:
        The translated query.
    ends, origins:
        Behind which offset of it each known part ends, ascending, and where that part began in the query.
    query:
        The query, with the *starts* of all of its words.
    """

    sql: str
    ends: tuple[int, ...]
    origins: tuple[int, ...]
    query: str
    starts: tuple[int, ...]

    def locate(self, offset: int) -> Origin | None:
        """What the character at *offset* of the translated query was made from, if that is certain."""
        index = bisect.bisect_right(self.ends, offset)
        if index < len(self.ends) and self._covers(index, offset):
            return Origin(self.origins[index], exact=True)
        low = self.origins[index - 1] if index else -1
        high = self.origins[index] if index < len(self.origins) else len(self.query)
        if low >= high:
            return None
        return self._between(offset, low, high)

    def _covers(self, index: int, offset: int) -> bool:
        """Whether the part that ends at number *index* is the word at *offset*, or the string."""
        text = self.sql[offset : self.ends[index]]
        before = self.sql[:offset]
        if text.startswith(("'", '"', "`")):
            return text.count(text[0]) % 2 == 0 or text.count(text[0]) == 1
        return _WORD.fullmatch(text) is not None and not _WORD.match(before[-1:])

    def _between(self, offset: int, low: int, high: int) -> Origin | None:
        words = [start for start in self.starts if low <= start < high] or [max(low, 0)]
        said = _WORD.match(self.sql, offset)
        if said is not None:
            same = [start for start in words if self.query[start:].casefold().startswith(said[0].casefold())]
            if len(same) == 1:
                return Origin(same[0], exact=True)
        lines = {self.query.count("\n", 0, start) for start in (*words, *([high] if high < len(self.query) else []))}
        return Origin(words[0], exact=False) if len(lines) == 1 else None


def positions(sql: str, marked: str, query: str, starts: Sequence[int]) -> Positions | None:
    """The positions in *sql*; *marked* is the same text with marks, or nothing can be known.

    Parameters
    ----------
    query, starts:
        See :class:`Positions`.
    """
    if _MARK.sub("", marked) != sql:
        return None
    ends, origins, shift = [], [], 0
    for match in _MARK.finditer(marked):
        end = match.start() - shift
        shift += len(match[0])
        if sql[end : end + 1] in ("'", '"', "`"):
            end += 1  # the mark stood inside of the quotes
        ends.append(end)
        origins.append(int(match[1]))
    return Positions(sql, tuple(ends), tuple(origins), query, tuple(starts))
