"""YAML text to plain data, with the place of every key and value.

The text goes through the C parser's events and is built node by node: that allows limits before anything is expanded,
duplicate keys with both places, and positions that cost nothing until somebody asks. Knows YAML and errors, and
nothing of what a file is for.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

import attrs

from flowforge.config.yaml_nodes import LINE_BREAK, UNREADABLE, Builder, Place, location
from flowforge.errors import ConfigFileError
from flowforge.values import Location

KeyPath = tuple[str | int, ...]
"""How to reach a value: keys of mappings and indexes of lists, from the top of the document."""

# U+0085, U+2028 and U+2029 are left out although YAML 1.1 knows them: the parser takes them for ends of lines, YAML
# 1.2 and editors do not, and a text that means two things is better refused.
_FORBIDDEN = re.compile(
    "[^\\t\\n\\r\\x20-\\x7e\\xa0-\\u2027\\u202a-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff]"
)


@attrs.frozen
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
    _text: str = attrs.field(repr=False, eq=False, default="")

    @cached_property
    def _top(self) -> Place | None:
        return Builder(self._text, self.path, places=True).build()[1]

    def at(self, keypath: KeyPath) -> Any:
        """The data at a key path; ``KeyError`` or ``IndexError`` when there is none."""
        data = self.data
        for step in keypath:
            data = data[step]
        return data

    def locate(self, keypath: KeyPath = (), *, key: bool = False) -> Location:
        """Where a value stands (with *key*: the key in front of it).

        A path that leads nowhere gives the nearest place above it, so that a missing key is reported at its mapping.
        The first call parses the text once more.
        """
        place = self._top
        if place is None:
            return Location(self.path, 1, 1)
        event = place.event
        for index, step in enumerate(keypath):
            found = None if place.children is None else place.children.get(step)
            if found is None:
                break
            key_event, place = found
            last = index == len(keypath) - 1
            event = key_event if key and last and key_event is not None else place.event
        return location(self.path, event.start_mark, event.end_mark)


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
    decoded = decode(text, path)
    return YamlDocument(Builder(decoded, path).build()[0], path, decoded)


def decode(text: str | bytes, path: str) -> str:
    """The characters of a YAML file; raises :class:`ConfigFileError` for bytes and characters that cannot be in one."""
    if isinstance(text, bytes):
        raw = text
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as exc:
            before = raw[: exc.start].decode("utf-8")
            raise ConfigFileError(
                f"the file is not UTF-8: byte 0x{raw[exc.start]:02x} at offset {exc.start}",
                code=UNREADABLE,
                location=_at_offset(path, before.removeprefix("\ufeff"), None),
                help="save the file with the encoding UTF-8",
            ) from None
    text = text.removeprefix("\ufeff")
    if bad := _FORBIDDEN.search(text):
        raise ConfigFileError(
            f"the character U+{ord(bad[0]):04X} cannot stand in a YAML file",
            code=UNREADABLE,
            location=_at_offset(path, text, bad.start()),
            help=f'remove it, or write it as "\\u{ord(bad[0]):04X}" inside double quotes',
        )
    return text


def _at_offset(path: str, text: str, offset: int | None) -> Location:
    lines = LINE_BREAK.split(text[:offset])
    return Location(path, len(lines), len(lines[-1]) + 1)
