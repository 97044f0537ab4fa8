"""A file of JSON Lines as rows of plain values, exact: numbers with a point are decimals, and no key is lost.

Knows bytes and JSON, nothing of columns or types. Every doubt is an error with its line and column.
"""

from __future__ import annotations

import decimal
import json
import mmap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs

from flowforge.errors import SeedError
from flowforge.frozen import frozen
from flowforge.seeds.csv_file import read_whole
from flowforge.values import Location

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class _Refused(ValueError):
    """Something that JSON allows, or that Python's reader allows, and a seed does not."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message)
        self.help = help


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Refused(f"the key {key!r} is there twice in one object", "keep one of them")
            seen.add(key)
    return values


def _constant(word: str) -> Any:
    raise _Refused(f"{word} is not JSON", "write null, or a text in quotes")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=decimal.Decimal, parse_constant=_constant)
_SCAN: Callable[[str, int], tuple[Any, int]] = vars(_DECODER)["scan_once"]


@frozen
class JsonLines:
    """The bytes of one file."""

    shown: str
    content: bytes | mmap.mmap = attrs.field(repr=False)
    start: int = 0

    @classmethod
    def open(cls, path: Path) -> JsonLines:
        """Read *path*.

        Raises
        ------
        SeedError
            When it is UTF-16.
        OSError
            When it cannot be read.
        """
        content = read_whole(path)
        if content[:2] in _UTF16:
            raise SeedError(
                "the seed is not UTF-8: it starts like UTF-16",
                code="FF2202",
                location=Location(str(path), 1, 1),
                help="save the file as UTF-8",
            )
        return cls(str(path), content, len(_BOM) if content[: len(_BOM)] == _BOM else 0)

    def blocks(self, size: int) -> Iterator[tuple[list[int], list[dict[str, Any]]]]:
        """The rows, up to *size* at once, and the line of each; blank lines are none.

        Raises
        ------
        SeedError
            For a line that is no object, or no JSON, or no UTF-8.
        """
        numbers: list[int] = []
        rows: list[dict[str, Any]] = []
        for number, line in self._lines():
            numbers.append(number)
            try:
                text = line.decode("utf-8")
                row, end = _SCAN(text, 0)
                if end != len(text) or not isinstance(row, dict):
                    row = self._row(number, line)
            except (ValueError, ArithmeticError, RecursionError, StopIteration):
                row = self._row(number, line)
            rows.append(row)
            if len(rows) == size:
                yield numbers, rows
                numbers, rows = [], []
        if rows:
            yield numbers, rows

    def at(self, line: int, column: int | None = None) -> Location:
        """A place in the file."""
        return Location(self.shown, line, column)

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        content, begin, number = self.content, self.start, 0
        while begin < len(content):
            end = content.find(b"\n", begin)
            if end < 0:
                end = len(content)
            number += 1
            line = content[begin:end].rstrip()
            if line:
                yield number, line
            begin = end + 1

    def _row(self, number: int, line: bytes) -> dict[str, Any]:
        """The row of a line that is not plainly one, or the error that says what it is."""
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as invalid:
            before = line[: invalid.start].decode("utf-8")
            raise SeedError(
                f"byte {invalid.start} of this line is not UTF-8",
                code="FF2202",
                location=self.at(number, len(before) + 1),
                help="save the file as UTF-8",
            ) from None
        problem: str
        help: str | None = 'each line holds one whole object, such as {"id": 1, "name": "Ada"}'
        column: int | None = None
        try:
            value = _DECODER.decode(text)
        except json.JSONDecodeError as invalid:
            problem, column = f"this line is no JSON: {invalid.msg[:1].lower()}{invalid.msg[1:]}", invalid.pos + 1
            if number == 1 and text.strip() in ("[", "{"):
                help = "one object spread over lines, or a list of objects, is another format: write one object a line"
        except _Refused as refused:
            problem, help = str(refused), refused.help
        except RecursionError:
            problem, help = "this line is nested too deeply", "flatten it"
        except (decimal.DecimalException, ValueError):
            problem, help = "a number on this line is too large", "write it as a text, in quotes"
        else:
            if isinstance(value, dict):
                return value
            what = {list: "a list", str: "a text", type(None): "null", bool: "true or false"}.get(
                type(value), "a number"
            )
            problem = f"this line holds {what}, not an object"
        raise SeedError(problem, code="FF2211", location=self.at(number, column), help=help)
