"""What separates and quotes the values of a CSV file, as patterns over its bytes.

Knows bytes only. All patterns are possessive, so each of them is one linear walk. A group that repeats possessively is
atomic itself: Python before 3.11.5 goes wrong where it could go back into one.
"""

from __future__ import annotations

import functools
import re

from flowforge.frozen import frozen


@frozen
class Grammar:
    """The marks of one way to write CSV, and the patterns that follow from them. Use :func:`grammar`.

    Parameters
    ----------
    delimiter:
        One ASCII character.
    quote:
        One ASCII character, doubled inside of quotes; empty: nothing is quoted.
    well_quoted:
        Text without quotes, then fields that are quoted from one separator to the next, and so on; ends at the first
        quote that opens or closes anywhere else.
    quoted:
        One quoted field.
    record:
        Everything up to a line end outside of quotes, and that line end.
    field:
        One field, and what ends it.
    """

    delimiter: bytes
    quote: bytes
    well_quoted: re.Pattern[bytes]
    quoted: re.Pattern[bytes]
    record: re.Pattern[bytes]
    field: re.Pattern[bytes]

    @property
    def words(self) -> str:
        """What messages call the delimiter."""
        return {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}.get(
            self.delimiter.decode(), repr(self.delimiter.decode())
        )

    def unquoted(self, raw: bytes) -> bytes:
        """The value of a field."""
        quote = self.quote
        return raw[1:-1].replace(quote * 2, quote) if quote and raw[:1] == quote else raw


@functools.cache
def grammar(delimiter: str = ",", quote: str = '"') -> Grammar:
    """The grammar of these two marks."""
    mark, end = quote.encode("ascii"), delimiter.encode("ascii")
    d = re.escape(end)
    if not mark:
        plain = rb"[^\r\n]*+"
        return Grammar(
            delimiter=end,
            quote=b"",
            well_quoted=re.compile(rb"(?s:.*+)"),
            quoted=re.compile(rb"(?!)"),
            record=re.compile(rb"(" + plain + rb")(\r\n|\r|\n|\Z)"),
            field=re.compile(rb"([^" + d + rb"\r\n]*+)(" + d + rb"|\r\n|\r|\n|\Z)"),
        )
    q = re.escape(mark)
    field = q + rb"(?>[^" + q + rb"]++|" + q + q + rb")*+" + q
    return Grammar(
        delimiter=end,
        quote=mark,
        well_quoted=re.compile(
            rb"[^%b]*+(?>(?<![^%b\r\n])%b(?![^%b\r\n])[^%b]*+)*+" % (q, d, field, d, q),
        ),
        quoted=re.compile(field),
        record=re.compile(rb"((?>[^" + q + rb"\r\n]++|" + field + rb")*+)(\r\n|\r|\n|\Z)"),
        field=re.compile(rb"(" + field + rb"|[^" + d + rb"\r\n]*+)(" + d + rb"|\r\n|\r|\n|\Z)"),
    )
