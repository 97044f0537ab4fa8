"""Where in a CSV file something stands: header, records, values; and the errors that name those places.

Knows the bytes of one file, whose quoting is known to be right unless a function says otherwise. Walks record by
record in Python, so apart from :func:`header` it is called only to report an error.
"""

from __future__ import annotations

import codecs
import mmap
from collections.abc import Iterator

import attrs

from flowforge.errors import SeedError
from flowforge.frozen import frozen
from flowforge.seeds.csv_grammar import Grammar, grammar
from flowforge.values import Location

_SHOWN_VALUE = 60
_PIECE = 1024 * 1024
_DELIMITERS = (";", "\t", "|", ",")


@frozen
class Source:
    """A file's bytes.

    Parameters
    ----------
    shown:
        The path that errors name.
    content:
        All of them; for a file in another encoding, its text in UTF-8.
    start:
        Where the text begins, after a byte order mark.
    grammar:
        What separates and quotes values.
    """

    shown: str
    content: bytes | mmap.mmap = attrs.field(repr=False)
    start: int = 0
    grammar: Grammar = attrs.field(factory=grammar, repr=False)


@frozen
class Header:
    """The names of the columns, and the offset of what follows them."""

    names: tuple[str, ...]
    end: int


def at(source: Source, offset: int) -> Location:
    """The place of one byte: line and column count from 1, the column in characters."""
    before = source.content[source.start : offset]
    line = before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n") + 1
    start = max(before.rfind(b"\n"), before.rfind(b"\r")) + 1
    column = len(before[start:].decode("utf-8", "replace")) + 1
    return Location(source.shown, line, column)


def quote_value(value: str) -> str:
    """*value* for a message: quoted, on one line, cut when it is long."""
    cut = value if len(value) <= _SHOWN_VALUE else value[:_SHOWN_VALUE] + "..."
    return repr(cut)


def header(source: Source) -> Header:
    """Read the first record as the names of the columns.

    Raises
    ------
    SeedError
        When it is missing or blank, is no UTF-8, or a name is empty or there twice (whatever its case).
    """
    record = source.grammar.record.match(source.content, source.start)
    if record is None or not record[1].strip():
        blank = len(source.content) > source.start
        raise SeedError(
            "the seed has no header: " + ("its first line is blank" if blank else "it is empty"),
            code="FF2204",
            location=Location(source.shown, 1),
            help="write the names of the columns into the first line; rows may be missing",
        )
    names: list[str] = []
    seen: dict[str, str] = {}
    for offset, raw in _fields(source, source.start):
        try:
            name = source.grammar.unquoted(raw).decode("utf-8")
        except UnicodeDecodeError as problem:
            raise _not_utf8(source, offset + problem.start) from None
        if not name.strip():
            raise SeedError(
                f"column {len(names) + 1} has no name",
                code="FF2204",
                location=at(source, offset),
                help="give every column in the header a name, or remove the separator that is too many",
            )
        if name.casefold() in seen:
            first = seen[name.casefold()]
            how = "twice" if first == name else f"twice, once as {first!r}"
            raise SeedError(
                f"column {name!r} is there {how}",
                code="FF2204",
                location=at(source, offset),
                help="rename one of them; upper and lower case do not make names different",
            )
        seen[name.casefold()] = name
        names.append(name)
    if len(names) == 1:
        _refuse_other_delimiter(source, record[1], names[0])
    return Header(tuple(names), record.end())


def _refuse_other_delimiter(source: Source, line: bytes, name: str) -> None:
    """A header of one column without quotes that holds what often separates columns is read by the wrong settings."""
    if source.grammar.quote and line[:1] == source.grammar.quote:
        return
    other = next((mark for mark in _DELIMITERS if mark in name), None)
    if other is not None:
        raise SeedError(
            f"the header names one column, {quote_value(name)}; values are separated by {source.grammar.words}",
            code="FF2204",
            location=Location(source.shown, 1, 1),
            help=f"if {other!r} separates them, the setting is `delimiter: {other!r}`; put quotes around a name that holds it",
        )


def value_at(source: Source, body: int, row: int, column: int) -> Location:
    """The place of one value; *row* and *column* count from 0, blank lines are no rows."""
    for index, (start, _) in enumerate(_records(source, body)):
        if index == row:
            offset = next(offset for number, (offset, _) in enumerate(_fields(source, start)) if number == column)
            return at(source, offset)
    return Location(source.shown)


def first_not_utf8(content: bytes | mmap.mmap, start: int) -> int | None:
    """The offset of the first byte from *start* on that is no UTF-8; ``None`` when all are. Piece by piece."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for begin in range(start, len(content) + 1, _PIECE):
        piece = content[begin : begin + _PIECE]
        kept = len(decoder.getstate()[0])
        try:
            decoder.decode(piece, final=begin + _PIECE >= len(content))
        except UnicodeDecodeError as invalid:
            return begin - kept + invalid.start
    return None


def bad_quote(source: Source, offset: int) -> SeedError:
    """The error for the quote at *offset*, which does not open a field that closes properly."""
    rules, mark = source.grammar, source.grammar.quote.decode()
    if offset > source.start and source.content[offset - 1 : offset] not in (rules.delimiter, b"\r", b"\n"):
        message = "a quote stands inside a field that is not quoted"
    else:
        field = rules.quoted.match(source.content, offset)
        if field is None:
            message = "a quoted field is never closed"
        else:
            message, offset = "text follows a closing quote", field.end()
    return SeedError(
        message,
        code="FF2203",
        location=at(source, offset),
        help=f"put quotes around the whole field and write a quote inside it twice: {mark}say {mark * 2}hi{mark * 3}; "
        "where quotes are plain text, the setting `quote: none` says so",
    )


def refuse_blank_lines(source: Source, body: int) -> None:
    """Raise for the first blank line after the header of a file that has one column."""
    for match in source.grammar.record.finditer(source.content, body):
        if match.start() == len(source.content):
            return
        if not match[1]:
            raise SeedError(
                "a blank line in a seed with one column may mean NULL or nothing",
                code="FF2203",
                location=at(source, match.start()),
                help='remove it; write "" for an empty text, or add a second column to write NULL',
            )


def refuse_mixed_line_ends(source: Source) -> None:
    """Raise when some lines end with a carriage return alone and others with a line feed.

    Such a carriage return is more likely part of a value that should have been quoted.
    """
    alone: int | None = None
    line_feed = False
    for match in source.grammar.record.finditer(source.content, source.start):
        if match[2] == b"\r" and alone is None:
            alone = match.start(2)
        line_feed = line_feed or match[2][-1:] == b"\n"
        if alone is not None and line_feed:
            raise SeedError(
                "a carriage return stands alone, while other lines end with a line feed",
                code="FF2203",
                location=at(source, alone),
                help="put quotes around the value, or give all lines the same end",
            )
        if match.end() == len(source.content):
            return


def explain(source: Source, body: int, columns: int, problem: Exception) -> SeedError:
    """The error for a file whose rows could not be split, with the place that *problem* does not tell."""
    invalid = first_not_utf8(source.content, body)
    if invalid is not None:
        return _not_utf8(source, invalid)
    for start, end in _records(source, body):
        count = sum(1 for _ in _fields(source, start))
        if count != columns:
            return _ragged(source, (start, end), count, columns)
    return SeedError(f"the seed cannot be read: {problem}", code="FF2201", location=Location(source.shown))


def _ragged(source: Source, span: tuple[int, int], count: int, columns: int) -> SeedError:
    line = source.content[span[0] : span[1]]
    contain = f"quote values that contain {source.grammar.words}"
    help = f"give the row a value for each column; {contain}"
    others = [other for other in _DELIMITERS if columns > 1 and line.count(other.encode()) == columns - 1]
    if columns == 1 and count > 1:
        help = f"name every column in the header; {contain}"
    elif count == 1 and others:
        help = f"is this line separated by something else than the header? The setting is `delimiter: {others[0]!r}`"
    return SeedError(
        f"the row has {count} value{'s' if count != 1 else ''}, the header names {columns} "
        f"column{'s' if columns != 1 else ''}",
        code="FF2203",
        location=at(source, span[0]),
        help=help,
    )


def _not_utf8(source: Source, offset: int) -> SeedError:
    return SeedError(
        f"byte {offset} is not UTF-8",
        code="FF2202",
        location=at(source, offset),
        help="save the file as UTF-8, or declare what it is now, such as `encoding: windows-1252`, in its settings",
    )


def _records(source: Source, start: int) -> Iterator[tuple[int, int]]:
    """The spans of all records from *start* on that are not blank, without their line ends."""
    for match in source.grammar.record.finditer(source.content, start):
        if match[1]:
            yield match.span(1)
        if match.end() == len(source.content):
            return


def _fields(source: Source, start: int) -> Iterator[tuple[int, bytes]]:
    """Offset and raw bytes of each field of the record at *start*."""
    position = start
    while True:
        match = source.grammar.field.match(source.content, position)
        if match is None:
            return
        yield position, match[1]
        if match[2] != source.grammar.delimiter:
            return
        position = match.end()
