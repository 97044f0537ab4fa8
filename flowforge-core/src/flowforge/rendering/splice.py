"""Puts macro files in front of a template, so that Jinja sees one text, and finds every place of it again.

Each part is looked at by itself where SQL matters: an open quote in a macro does not reach into the model.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from flowforge.frozen import frozen
from flowforge.project.lexer import JINJA, Token, lex
from flowforge.project.macros import MacroFile
from flowforge.project.scan import Findings
from flowforge.values import Location

_JOINT = "{##}"  # a comment: text before it and text behind it are separate pieces for the parser


@frozen
class Splice:
    """One text made of several files; the template's own comes last.

    Parameters
    ----------
    parts:
        Path and text of each file.
    starts:
        Where each part begins in the whole.
    """

    parts: tuple[tuple[str, str], ...]
    starts: tuple[int, ...]

    @classmethod
    def of(cls, path: str, text: str, macros: Sequence[MacroFile]) -> Splice:
        """*macros* in front of the template *text*."""
        parts = (*((file.path, file.text) for file in macros), (path, text))
        starts, at = [], 0
        for _, part in parts:
            starts.append(at)
            at += len(part) + len(_JOINT)
        return cls(parts, tuple(starts))

    @property
    def texts(self) -> tuple[str, ...]:
        """What the whole is made of, in order."""
        *macros, own = (text for _, text in self.parts)
        return (*(piece for text in macros for piece in (text, _JOINT)), own)

    @property
    def own(self) -> int:
        """Where the template's own text begins."""
        return self.starts[-1]

    def tags(self) -> list[Token]:
        """The Jinja tags of all parts, by their places in the whole."""
        return [
            token._replace(start=token.start + start, end=token.end + start)
            for start, (_, text) in zip(self.starts, self.parts, strict=True)
            for token in lex(text)
            if token.kind in JINJA
        ]

    def findings(self) -> Findings:
        """Tells where an offset of the whole is."""
        return _Spliced(self)

    def inside(self, offset: int) -> tuple[int, int]:
        """The part that *offset* belongs to, and the offset in it."""
        index = max(bisect.bisect_right(self.starts, offset) - 1, 0)
        return index, offset - self.starts[index]


class _Spliced(Findings):
    """Places in several files."""

    def __init__(self, splice: Splice) -> None:
        super().__init__("".join(splice.texts), splice.parts[-1][0])
        self._splice = splice
        self._parts = [Findings(text, path) for path, text in splice.parts]

    def at(self, offset: int, length: int = 1) -> Location:
        """The place in the file that *offset* belongs to."""
        index, inner = self._splice.inside(offset)
        return self._parts[index].at(min(inner, len(self._parts[index].text)), length)
