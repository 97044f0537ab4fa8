"""A CSV file as checked bytes, and its rows as texts; every doubt is an error with a line.

Knows bytes and the rules of our CSV (one delimiter, quotes doubled inside quotes, any line ending), nothing of types. The fast path never looks at single rows; :mod:`flowforge.seeds.csv_places` is asked for a place only after
something was found to be wrong.
"""

from __future__ import annotations

import io
import mmap
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from flowforge.errors import SeedError
from flowforge.frozen import frozen
from flowforge.seeds import csv_places
from flowforge.seeds.csv_grammar import grammar
from flowforge.seeds.csv_options import PLAIN, CsvOptions
from flowforge.seeds.csv_places import Source
from flowforge.seeds.encodings import as_utf8
from flowforge.values import Location

if TYPE_CHECKING:
    import pyarrow as pa

IN_MEMORY = 512 * 1024 * 1024
"""Files up to this many bytes are read whole, so that a change of the file during a run cannot be half seen."""
BLOCK = 1024 * 1024
"""Bytes that are parsed at once; grows when one row is longer."""

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_SOMETHING = re.compile(rb"[^\r\n]")
_LONE_RETURN = re.compile(rb"\r(?!\n)")
_BLANK_LINE = re.compile(rb"(?:\r\n|\r|\n)[\r\n]")


@frozen
class CsvFile:
    """A CSV file whose quoting and header are known to be right.

    Parameters
    ----------
    body:
        Offset in the source's content of the first row after the header.
    names:
        The columns, in order.
    """

    source: Source
    body: int
    names: tuple[str, ...]
    options: CsvOptions

    @classmethod
    def open(cls, path: Path, options: CsvOptions = PLAIN, *, delimiter: str = ",") -> CsvFile:
        """Read *path* and check what can be checked without splitting rows.

        Parameters
        ----------
        delimiter:
            What separates values unless *options* says so.

        Raises
        ------
        SeedError
            With file and line, when the file is empty, is not of its encoding, or its quotes or its header make no
            sense.
        OSError
            When it cannot be read at all.
        """
        shown, content = str(path), read_whole(path)
        if options.encoding != "utf-8":
            content = as_utf8(shown, content, options.encoding, IN_MEMORY)
        start = len(_BOM) if content[: len(_BOM)] == _BOM else 0
        source = Source(shown, content, start, grammar(options.delimiter or delimiter, options.quote))
        if content[:2] in _UTF16:
            raise SeedError(
                "the seed is not UTF-8: it starts like UTF-16",
                code="FF2202",
                location=Location(shown, 1, 1),
                help="save the file as UTF-8, or declare `encoding: utf-16` in its settings",
            )
        nul = content.find(b"\0")
        if nul >= 0:
            raise SeedError(
                f"byte {nul} is NUL",
                code="FF2202",
                location=csv_places.at(source, nul),
                help="remove it; engines do not keep it in text",
            )
        rules = source.grammar
        quoted = rules.well_quoted.match(content, start) if rules.quote and content.find(rules.quote) >= 0 else None
        if quoted is not None and quoted.end() != len(content):
            raise csv_places.bad_quote(source, quoted.end())
        if content.find(b"\r") >= 0 and _LONE_RETURN.search(content):
            csv_places.refuse_mixed_line_ends(source)
        if not options.header:
            return cls(source, start, options.names, options)
        header = csv_places.header(source)
        return cls(source, header.end, header.names, options)

    def batches(self, types: Mapping[int, pa.DataType]) -> Iterator[pa.RecordBatch]:
        """All rows, with columns named by position; an unquoted empty field is NULL, a quoted one is not.

        Parameters
        ----------
        types:
            Types by position, for columns whose texts are known to be the canonical form of that type; all other
            columns come as text.

        Raises
        ------
        SeedError
            For rows of another length than the header's, and for bytes that are no UTF-8.
        """
        import pyarrow as pa

        content = self.source.content
        if len(self.names) == 1 and (
            content[self.body : self.body + 1] in (b"\r", b"\n") or _BLANK_LINE.search(content, max(self.body - 1, 0))
        ):
            csv_places.refuse_blank_lines(self.source, self.body)
        if _SOMETHING.search(content, self.body) is None:
            return
        block, done = BLOCK, 0
        while True:
            seen = 0
            try:
                for batch in self._parse(block, types):
                    seen += len(batch)
                    if seen > done:
                        yield batch.slice(max(len(batch) - (seen - done), 0))
                        done = seen
                return
            except pa.ArrowInvalid as problem:
                if "straddl" not in str(problem) or block >= len(content):
                    raise csv_places.explain(self.source, self.body, len(self.names), problem) from None
                block *= 8

    def plain(self, texts: pa.Array, type_: pa.DataType) -> pa.Array:
        """*texts* with a point in front of decimals, where they are to become numbers of *type_*."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.options.decimal == "." or not (pa.types.is_floating(type_) or pa.types.is_decimal(type_)):
            return texts
        # A text that has points already is no number here; NUL, which no seed holds, keeps it from becoming one.
        return pc.replace_substring(pc.replace_substring(texts, ".", "\0"), self.options.decimal, ".")

    def _parse(self, block: int, types: Mapping[int, pa.DataType]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        from pyarrow import csv

        content = self.source.content
        names, options, rules = [str(index) for index in range(len(self.names))], self.options, self.source.grammar
        rows = pa.py_buffer(content).slice(self.body)
        if content[self.body : self.body + len(_BOM)] == _BOM:
            # The parser drops a mark at the start of what it is given; here it is part of a value.
            rows = pa.py_buffer(_BOM + content[self.body :])
        quoted = rules.quote != b"" and content.find(rules.quote, self.body) >= 0
        with csv.open_csv(
            pa.PythonFile(_Uncut(rows), "r") if quoted and content.find(b"\r") >= 0 else pa.BufferReader(rows),
            read_options=csv.ReadOptions(column_names=names, block_size=block, use_threads=False),
            parse_options=csv.ParseOptions(
                delimiter=rules.delimiter.decode(),
                quote_char=rules.quote.decode() or False,
                newlines_in_values=quoted,
            ),
            convert_options=csv.ConvertOptions(
                column_types={name: types.get(index, pa.string()) for index, name in enumerate(names)},
                null_values=["", *options.null_values],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                decimal_point=options.decimal,
            ),
        ) as reader:
            yield from reader


class _Uncut(io.RawIOBase):
    """Reads a buffer so that no piece ends with a carriage return, unless the next one begins with another byte.

    The parser forgets a line feed at the start of a piece when the last piece ended with a carriage return; inside
    quotes that would change a value.
    """

    def __init__(self, buffer: pa.Buffer) -> None:
        self._view = memoryview(buffer)
        self._position = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        end = len(self._view) if size < 0 else min(self._position + size, len(self._view))
        if end - self._position > 1 and bytes(self._view[end - 1 : end + 1]) == b"\r\n":
            end -= 1
        piece = bytes(self._view[self._position : end])
        self._position = end
        return piece


def read_whole(path: Path) -> bytes | mmap.mmap:
    """The bytes of a file, as they are now; those of a very large one as they are when they are read."""
    with path.open("rb") as file:
        if path.stat().st_size <= IN_MEMORY:
            return file.read()
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
