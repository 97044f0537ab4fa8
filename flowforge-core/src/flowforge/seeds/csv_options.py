"""How a CSV file may be written differently: what the settings of a seed may say about its file.

Knows the words of the settings; opens no file.
"""

from __future__ import annotations

from typing import Any

import attrs

from flowforge.frozen import frozen
from flowforge.seeds.encodings import normal_encoding

NO_QUOTES = ("", "none")


def _mark(word: str, names: dict[str, str]) -> str:
    mark = names.get(word.lower(), word)
    if len(mark) != 1 or not mark.isascii() or mark in "\r\n\0":
        raise ValueError(f"{word!r} is not one ASCII character")
    return mark


def _delimiter(word: str | None) -> str | None:
    return None if word is None else _mark(word, {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";"})


def _quote(word: str | None) -> str:
    if word is None or word.lower() in NO_QUOTES:
        return ""
    mark = _mark(word, {})
    if mark.isalnum() or mark.isspace() or mark == ",":
        raise ValueError(f"{word!r} cannot quote values; use a mark such as ' or |")
    return mark


def _words(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _as_null(instance: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    for word in value:
        if any(mark in word for mark in "\r\n\0"):
            raise ValueError(f"{word!r} is no word of one line")


def _distinct(instance: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    seen: set[str] = set()
    for name in value:
        if not name.strip():
            raise ValueError("a name is empty")
        if name.casefold() in seen:
            raise ValueError(f"'{name}' is named twice; upper and lower case do not make names different")
        seen.add(name.casefold())


def _named(instance: CsvOptions, attribute: attrs.Attribute[Any], value: bool) -> None:
    if not value and not instance.names:
        raise ValueError("a file without a header needs the 'names' of its columns")


@frozen(kw_only=True)
class CsvOptions:
    """The options of a CSV file.

    Parameters
    ----------
    delimiter:
        One ASCII character, or ``tab``; by default a comma, and a tab in ``.tsv`` files.
    quote:
        One ASCII character; empty, or ``none``: quotes are plain text.
    null_values:
        Words that mean NULL when they stand without quotes, beside the empty field.
    encoding:
        What the file is in, if not UTF-8.
    header:
        Whether the first line names the columns; if not, *names* does.
    decimal:
        The mark in front of the decimals, a point or a comma.
    """

    delimiter: str | None = attrs.field(default=None, converter=_delimiter)
    quote: str = attrs.field(default='"', converter=_quote, metadata={"accepts": str | None})
    null_values: tuple[str, ...] = attrs.field(
        default=(), converter=_words, validator=_as_null, metadata={"accepts": str | tuple[str, ...]}
    )
    encoding: str = attrs.field(default="utf-8", converter=normal_encoding)
    header: bool = attrs.field(default=True, validator=_named)
    names: tuple[str, ...] = attrs.field(default=(), validator=_distinct)
    decimal: str = attrs.field(default=".", validator=attrs.validators.in_((".", ",")))

    def __attrs_post_init__(self) -> None:
        if self.quote and self.quote == self.delimiter:
            raise ValueError("'delimiter' and 'quote' are the same character")
        if self.header and self.names:
            raise ValueError("'names' is for files without a header: say 'header: false'")


PLAIN = CsvOptions()
"""What holds where nothing is said."""
