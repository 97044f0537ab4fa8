"""How much one rendering may do, and the operations that could do too much in one step.

Python has no safe way to stop a computation from outside. So every operation of a template that can be large is
bounded before it starts (sizes of values, widths in formats), and everything that can be repeated is counted (loop
rounds, calls, characters made). Jinja-free; one :class:`Budget` belongs to one rendering.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from typing import Any

from flowforge.rendering.source_map import MARKERS

MAX_TEXT = 10_000_000
"""Characters of any one text, and of the whole result."""
MAX_FILTER_INPUT = 2_000_000
"""Size of what a filter or a method of a text may be given; some of them are slow for each character."""
MAX_BITS = 16_384
"""Bits of a whole number: about 4,900 digits."""
MAX_RANGE = 100_000
MAX_NUMBER = 10**15
"""Largest bound or step of ``range``: past it, chosen numbers could make hash tables slow."""
MAX_WIDTH = 10_000
"""Columns that a format or a filter may pad to, and items that it may group by."""
MAX_STEPS = 250_000
"""Loop rounds and calls."""
MAX_WORK = 100_000_000
"""Units that all steps together may make; see :func:`size`."""
MAX_SECONDS = 1.0
"""CPU seconds of the thread: the last net, should the counting miss something."""
MAX_CALL_DEPTH = 80
ITEM = 16
"""Units that one item of a container counts for; a character counts for one."""


class TooExpensive(Exception):
    """The template wants more than the limits allow. The message says what of."""


def size(value: Any, limit: int) -> int:
    """How large *value* is with everything inside, in units: characters, and :data:`ITEM` for anything else.

    Shared parts count each time, as they do when the value is written out.

    Raises
    ------
    TooExpensive
        As soon as it is more than *limit*, or a number has more than :data:`MAX_BITS` bits.
    """
    total = 0
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, (str, bytes)):
            total += len(item)
        elif isinstance(item, int):
            if item.bit_length() > MAX_BITS:
                raise TooExpensive("a number is too large")
            total += ITEM
        elif isinstance(item, Mapping):
            total += 2 * ITEM * len(item)
            if total <= limit:
                stack.extend(item.keys())
                stack.extend(item.values())
        elif isinstance(item, (list, tuple, set, frozenset, ValuesView, KeysView, ItemsView)):
            total += ITEM * len(item)
            if total <= limit:
                stack.extend(item)
        else:
            total += ITEM
        if total > limit:
            raise TooExpensive("a value is too large")
    return total


class Budget:
    """What one rendering has used up so far. One thread."""

    def __init__(self) -> None:
        self._steps = 0
        self._work = 0
        self._depth = 0
        self._next_look = 0
        self._until = time.thread_time() + MAX_SECONDS

    def step(self, work: int = 0) -> None:
        """Count one loop round or call that makes *work* units."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise TooExpensive("it loops too often")
        self.spend(work + ITEM)

    def spend(self, work: int) -> None:
        """Count *work* units."""
        self._work += work
        if self._work > self._next_look:
            self._next_look = self._work + 512
            if time.thread_time() > self._until:
                raise TooExpensive("it takes too long")
            if self._work > MAX_WORK:
                raise TooExpensive("it makes too much text")

    @contextlib.contextmanager
    def untimed(self) -> Iterator[None]:
        """What happens in the block takes no time."""
        started = time.thread_time()
        try:
            yield
        finally:
            self._until += time.thread_time() - started

    def take(self, value: Any, limit: int = MAX_TEXT) -> Any:
        """Count *value* and return it."""
        self.spend(size(value, limit))
        return value

    def enter(self) -> None:
        """Count a call of a macro; :meth:`leave` ends it."""
        self._depth += 1
        if self._depth > MAX_CALL_DEPTH:
            raise TooExpensive("macros call each other too deeply")

    def leave(self) -> None:
        """The macro has returned."""
        self._depth -= 1


def to_text(value: Any) -> str:
    """The text that ``{{ value }}`` writes into the SQL.

    Raises
    ------
    TypeError
        For a value that has no text of its own, such as a function.
    TooExpensive
        When it is too large.
    """
    if type(value) is str:
        text = value
    else:
        size(value, MAX_TEXT)
        kind: Any = type(value)
        base: Any = object
        if callable(value) or (kind.__str__ is base.__str__ and kind.__repr__ is base.__repr__):
            raise TypeError(f"a {kind.__name__} cannot be written into SQL")
        text = str(value)
    if not text.isascii() and MARKERS.search(text):
        raise TypeError("the value holds a reserved character")
    return text


# -- operators ---------------------------------------------------------------------------------------------------------


def check_operator(operator: str, left: Any, right: Any) -> None:
    """Refuse an operation whose result would be too large, before it is done."""
    if operator == "*":
        _check_product(left, right)
    elif operator == "**":
        if isinstance(left, int) and isinstance(right, int) and right > 0:
            _check_bits(left.bit_length() * right)
    elif operator == "+":
        if isinstance(left, (str, list, tuple)) and isinstance(right, (str, list, tuple)):
            _check_text(size(left, MAX_TEXT) + size(right, MAX_TEXT))
    elif operator == "%" and isinstance(left, (str, bytes)):
        check_printf(left if isinstance(left, str) else "%*", right)


def _check_product(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() + right.bit_length())
        return
    for text, times in ((left, right), (right, left)):
        if isinstance(times, int) and isinstance(text, (str, bytes, list, tuple)):
            _check_text(size(text, MAX_TEXT) * max(times, 0))


def _check_bits(bits: int) -> None:
    if bits > MAX_BITS:
        raise TooExpensive("a number is too large")


def _check_text(units: int) -> None:
    if units > MAX_TEXT:
        raise TooExpensive("a value is too large")


def check_width(*numbers: Any) -> None:
    """Refuse widths and counts beyond :data:`MAX_WIDTH`."""
    for number in numbers:
        if isinstance(number, (int, float)) and abs(number) > MAX_WIDTH:
            raise TooExpensive("a width is too large")


# -- formats -----------------------------------------------------------------------------------------------------------

_DIGITS = re.compile(r"\d+")
_FIELD = re.compile(r"[-+ #0]*(\*|\d*)(?:\.(\*|\d*))?[hlL]?")


def check_spec(spec: str) -> None:
    """Refuse a format specification (``>20``) that pads or rounds to too many places."""
    check_width(*(int(digits[:9]) for digits in _DIGITS.findall(spec)))


def check_printf(template: str, values: Any) -> None:
    """Refuse ``template % values`` when it would be too large."""
    total = len(template)
    fields = 0
    pos = template.find("%")
    while pos >= 0:
        pos += 1
        if template.startswith("(", pos):
            pos = _key_end(template, pos)
        match = _FIELD.match(template, pos)
        if match is None:
            break
        for number in match.groups():
            if number == "*":
                raise TooExpensive("a format takes its width from a value")
            check_width(int((number or "0")[:9]))
            total += int(number or 0)
        fields += 1
        pos = template.find("%", match.end() + 1)
    _check_text(total + fields * size(values, MAX_TEXT))


def _key_end(template: str, pos: int) -> int:
    """Behind the parenthesis that closes the one at *pos*."""
    depth = 0
    for at in range(pos, len(template)):
        depth += {"(": 1, ")": -1}.get(template[at], 0)
        if depth == 0:
            return at + 1
    return len(template)


# -- methods of texts ----------------------------------------------------------------------------------------------------


def check_replace(text: Any, old: Any, new: Any) -> None:
    """Refuse ``text.replace(old, new)`` when it would be too large."""
    text, old, new = str(text), str(old), str(new)
    times = text.count(old) if old else len(text) + 1
    _check_text(len(text) + times * len(new))


def check_join(separator: Any, items: Sequence[Any]) -> None:
    """Refuse ``separator.join(items)`` when it would be too large."""
    _check_text(size(items, MAX_TEXT) + len(str(separator)) * len(items))


def check_indent(text: Any, width: Any) -> None:
    """Refuse to indent *text* when it would be too large."""
    check_width(width)
    indent = len(width) if isinstance(width, str) else int(width)
    _check_text(len(str(text)) + (str(text).count("\n") + 1) * indent)
