"""YAML text to plain data, with the place of every key and value.

The text goes through the C parser's events and is built node by node: that allows limits before anything is expanded,
duplicate keys with both places, and positions at next to no cost. Knows YAML and errors, and
nothing of what a file is for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import attrs

from flowforge.config.yaml_places import KeyPath, Places
from flowforge.errors import ConfigFileError
from flowforge.frozen import frozen
from flowforge.values import Location

if TYPE_CHECKING:
    from flowforge.config.yaml_nodes import Builder

__all__ = ["KeyPath", "YamlDocument", "decode", "parse_yaml"]

# U+0085, U+2028 and U+2029 are left out although YAML 1.1 knows them: the parser takes them for ends of lines, YAML
# 1.2 and editors do not, and a text that means two things is better refused.
_FORBIDDEN = "[^\\t\\n\\r\\x20-\\x7e\\xa0-\\u2027\\u202a-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff]"
_FORBIDDEN_IN_ASCII = "[^\\t\\n\\r\\x20-\\x7e]"
"""The same for most files; compiling the other takes as long as to start a small module."""
_UNREADABLE = "FF1002"
_EXACT_LIMIT = 200_000
"""Characters that the slow parser is given at most; it reads some 100,000 in a second."""


@frozen
class YamlDocument:
    """A file's data and where everything in it stands.

    Parameters
    ----------
    data:
        Dicts, lists, strings, numbers, booleans and ``None``; shared, so never to be changed.
    path:
        Relative to the project.
    """

    data: Any
    path: str
    _places: Places = attrs.field(repr=False, eq=False)

    @property
    def places(self) -> Places:
        """Where everything stands."""
        return self._places

    def at(self, keypath: KeyPath) -> Any:
        """The data at a key path; ``KeyError`` or ``IndexError`` when there is none."""
        data = self.data
        for step in keypath:
            data = data[step]
        return data

    def locate(self, keypath: KeyPath = (), *, key: bool = False) -> Location:
        """Where a value stands (with *key*: the key in front of it).

        A path that leads nowhere gives the nearest place above it, so that a missing key is reported at its mapping.
        """
        return self._places.location(self._places.find(self.data, keypath, key=key), self.path)


def parse_yaml(text: str | bytes, path: str) -> YamlDocument:
    """Read one YAML 1.2 document: core scalars, plain data, no tags of one's own.

    Parameters
    ----------
    text:
        A file's bytes (UTF-8, with or without BOM), or text.
    path:
        The file's path relative to the project, for errors.

    Raises
    ------
    ConfigFileError
        With the place: not UTF-8, not YAML, a key given twice, an unknown tag, too deep, too many aliases.
    """
    from flowforge.config.yaml_nodes import Builder, exact_events, fast_events  # which import the parser

    decoded = decode(text, path)
    builder = Builder(decoded, path, fast_events)
    try:
        return _document(builder, path)
    except ConfigFileError as exc:
        if not builder.disputed or len(decoded) > _EXACT_LIMIT:
            raise
        try:
            return _document(Builder(decoded, path, exact_events), path)
        except ConfigFileError:
            raise exc from None


def _document(builder: Builder, path: str) -> YamlDocument:
    return YamlDocument(builder.build(), path, builder.places)


def decode(text: str | bytes, path: str) -> str:
    """The characters of a YAML file; raises :class:`ConfigFileError` for bytes and characters that cannot be in one."""
    if isinstance(text, bytes):
        raw = text
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as exc:
            before = raw[: exc.start].decode("utf-8-sig")
            raise ConfigFileError(
                f"the file is not UTF-8: byte 0x{raw[exc.start]:02x} at offset {exc.start}",
                code=_UNREADABLE,
                location=Places(before).at_offset(len(before), path),
                help="save the file with the encoding UTF-8",
            ) from None
    text = text.removeprefix("\ufeff")
    if bad := re.search(_FORBIDDEN_IN_ASCII if text.isascii() else _FORBIDDEN, text):
        raise ConfigFileError(
            f"the character U+{ord(bad[0]):04X} cannot stand in a YAML file",
            code=_UNREADABLE,
            location=Places(text).at_offset(bad.start(), path),
            help=f'remove it, or write it as "\\u{ord(bad[0]):04X}" inside double quotes',
        )
    return text
