"""Text in other encodings than UTF-8, decoded exactly: a byte that means nothing is an error with its place.

Knows bytes and the names of encodings. What is not declared is never decoded, so nothing is guessed here.
"""

from __future__ import annotations

import codecs
import mmap
import tempfile
from collections.abc import Iterator

from flowforge.errors import SeedError
from flowforge.values import Location

_PIECE = 1024 * 1024
_KNOWN = [
    "ascii",
    "utf-8",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "utf-32-le",
    "utf-32-be",
    "iso8859-1",
    "iso8859-2",
    "iso8859-3",
    "iso8859-4",
    "iso8859-5",
    "iso8859-6",
    "iso8859-7",
    "iso8859-8",
    "iso8859-9",
    "iso8859-10",
    "iso8859-13",
    "iso8859-14",
    "iso8859-15",
    "iso8859-16",
    "cp437",
    "cp850",
    "cp852",
    "cp858",
    "cp866",
    "cp874",
    "cp932",
    "cp949",
    "cp950",
    "cp1250",
    "cp1251",
    "cp1252",
    "cp1253",
    "cp1254",
    "cp1255",
    "cp1256",
    "cp1257",
    "cp1258",
    "koi8-r",
    "koi8-u",
    "mac-roman",
    "shift_jis",
    "euc_jp",
    "euc_kr",
    "big5",
    "gb2312",
    "gbk",
    "gb18030",
]
_COMMON = ("utf-8", "latin-1", "iso-8859-15", "windows-1250", "windows-1251", "windows-1252", "utf-16")


def normal_encoding(name: str) -> str:
    """*name* in the one form that Python has for it.

    Raises
    ------
    ValueError
        When it is no encoding of text.
    """
    try:
        found = codecs.lookup(name.strip()).name
    except (LookupError, ValueError):
        found = ""
    if found == "utf-8-sig":
        found = "utf-8"
    if found not in _KNOWN:
        raise ValueError(f"'{name}' is no encoding that is known; for example {', '.join(_COMMON)}")
    return found


def as_utf8(shown: str, content: bytes | mmap.mmap, encoding: str, in_memory: int) -> bytes | mmap.mmap:
    """The text of *content* in UTF-8; what is larger than *in_memory* bytes goes through a file without a name.

    Raises
    ------
    SeedError
        With the line of the first byte that is not of *encoding*.
    """
    pieces = _pieces(shown, content, encoding)
    if len(content) <= in_memory:
        return b"".join(pieces)
    with tempfile.TemporaryFile() as file:
        for piece in pieces:
            file.write(piece)
        if file.tell() == 0:
            return b""
        file.flush()
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _pieces(shown: str, content: bytes | mmap.mmap, encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    for begin in range(0, len(content) + 1, _PIECE):
        kept = len(decoder.getstate()[0])
        try:
            text = decoder.decode(content[begin : begin + _PIECE], final=begin + _PIECE >= len(content))
        except UnicodeDecodeError as invalid:
            offset = begin - kept + invalid.start
            before = _decodable(invalid)
            raise SeedError(
                f"byte {offset} is not {encoding}, which the seed is declared to be",
                code="FF2202",
                location=Location(shown, line + _lines(before)),
                help="correct the byte, or the `encoding` in the seed's settings",
            ) from None
        line += _lines(text)
        yield text.encode("utf-8")


def _decodable(invalid: UnicodeDecodeError) -> str:
    """The text before the byte that is wrong."""
    return bytes(invalid.object[: invalid.start]).decode(invalid.encoding, "replace")


def _lines(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")
