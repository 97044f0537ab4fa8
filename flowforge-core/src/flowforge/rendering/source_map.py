"""From a position in rendered SQL back to the line and column of the template that made it."""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence
from typing import Protocol

from flowforge.frozen import frozen
from flowforge.project.lexer import position
from flowforge.values import Location

_OPEN, _CLOSE = "\U000ff810", "\U000ff811"
MARKERS = re.compile(f"[{_OPEN}{_CLOSE}]")
"""Characters that stand in a text only while it is rendered."""
_MARKER = re.compile(f"{_OPEN}(\\d+){_CLOSE}")


def marker(number: int) -> str:
    """An invisible sign that what follows in the output comes from origin *number*."""
    return f"{_OPEN}{number}{_CLOSE}"


class Locates(Protocol):
    """Tells where SQL comes from."""

    def locate(self, offset: int) -> Location:
        """The place of the character at *offset*, counted from 0; the file alone when more is not certain."""
        ...


@frozen
class SourceMap:
    """Maps offsets in rendered SQL to places in one file.

    The SQL is a row of pieces. A literal piece is text of the template; any other was made by an expression, and all
    of it belongs to the place of that expression.

    Parameters
    ----------
    path:
        The file, relative to the project.
    text:
        The template.
    starts:
        Where each piece begins in the output before it was trimmed; ascending.
    origins:
        Where each piece comes from in *text*.
    lengths:
        Length of the expression in *text*; 0 for a literal piece.
    trimmed:
        How many characters were cut off the front of the output.
    """

    path: str
    text: str
    starts: tuple[int, ...] = ()
    origins: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()
    trimmed: int = 0

    def locate(self, offset: int) -> Location:
        """The place of the character at *offset*, counted from 0 in the rendered SQL."""
        offset += self.trimmed
        index = bisect.bisect_right(self.starts, offset) - 1
        if index < 0:
            return Location(self.path)
        origin, length = self.origins[index], self.lengths[index]
        if not length:
            origin += offset - self.starts[index]
        line, column = position(self.text, min(origin, len(self.text)))
        return Location(self.path, line, column, max(length, 1))


class Pieces:
    """Collects output and its map, piece by piece. One thread."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._source = text
        self._out: list[str] = []
        self._size = 0
        self._starts: list[int] = []
        self._origins: list[int] = []
        self._lengths: list[int] = []

    def add(self, text: str, origin: int, length: int = 0) -> None:
        """Append *text*; *length* is that of the expression that made it, 0 for text of the template itself."""
        if text:
            self._starts.append(self._size)
            self._origins.append(origin)
            self._lengths.append(length)
            self._out.append(text)
            self._size += len(text)

    def add_marked(self, output: str, origins: Sequence[tuple[int, int]]) -> None:
        """Append text that holds :func:`marker` signs; *origins* are pairs of place and length, by number."""
        pieces = _MARKER.split(output)
        self.add(pieces[0], 0)
        for number, text in zip(pieces[1::2], pieces[2::2], strict=True):
            self.add(text, *origins[int(number)])

    def __len__(self) -> int:
        """Characters of output so far."""
        return self._size

    def text(self) -> str:
        """All output so far."""
        return "".join(self._out)

    def source_map(self, *, trimmed: int) -> SourceMap:
        """The map; *trimmed* is how many characters were cut off the front of :meth:`text`."""
        return SourceMap(
            self._path, self._source, tuple(self._starts), tuple(self._origins), tuple(self._lengths), trimmed
        )
