"""The lines in which two texts differ, for people to read. Knows texts, nothing of the project."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from flowforge.frozen import frozen

_TOO_MUCH = 4_000  # lines of both texts between the first and the last difference


@frozen
class ChangedLine:
    """A line that differs: *sign* is ``-`` or ``+``, *number* its line in the new text, or where it would stand."""

    number: int
    sign: str
    text: str


def changed_lines(before: Sequence[str], after: Sequence[str]) -> Iterator[ChangedLine]:
    """The lines that differ, without those around them.

    Texts that differ from a line to another one far below are taken for new from the one to the other: to align
    them would take longer than anybody wants to wait, and more than anybody wants to read.
    """
    start = 0
    while start < len(before) and start < len(after) and before[start] == after[start]:
        start += 1
    old_end, new_end = len(before), len(after)
    while old_end > start and new_end > start and before[old_end - 1] == after[new_end - 1]:
        old_end -= 1
        new_end -= 1
    old, new = before[start:old_end], after[start:new_end]
    if len(old) + len(new) > _TOO_MUCH:
        blocks: Sequence[tuple[str, int, int, int, int]] = [("replace", 0, len(old), 0, len(new))]
    else:
        blocks = difflib.SequenceMatcher(None, old, new, False).get_opcodes()
    for tag, old_from, old_to, new_from, new_to in blocks:
        if tag != "equal":
            for text in old[old_from:old_to]:
                yield ChangedLine(start + new_from + 1, "-", text)
            for number, text in enumerate(new[new_from:new_to], start + new_from + 1):
                yield ChangedLine(number, "+", text)
