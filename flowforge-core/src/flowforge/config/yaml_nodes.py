"""From the parser's events to plain data and places, one node at a time and without recursion.

Everything that has to be refused before it is expanded is refused here. Knows YAML's events and errors, and nothing
of files.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import attrs
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from flowforge.config.yaml_scalars import CORE_TAG, SUSPECT, plain_scalar, tagged_scalar, unknown_tag
from flowforge.errors import ConfigFileError
from flowforge.values import Location

MAX_DEPTH = 100
"""Mappings and lists inside each other."""
MAX_ALIASED = 10_000
"""Nodes that aliases may add to a document."""

UNREADABLE, DUPLICATE, LIMIT = "FF1002", "FF1003", "FF1008"

LINE_BREAK = re.compile(r"\r\n|\r|\n")


def location(path: str, start: Any, end: Any = None) -> Location:
    """The parser's marks as a place; the caret covers what stands on one line."""
    length = end.column - start.column if end is not None and end.line == start.line else 1
    return Location(path, start.line + 1, start.column + 1, max(length, 1))


@attrs.define
class Place:
    """Where a node stands; *children* maps a key (or index) to its key's event and its value's place."""

    event: Any
    children: dict[Any, tuple[Any, Place]] | None = None


@attrs.define
class _Frame:
    """A mapping or list that is being filled. *deepest* counts levels from the top of the document."""

    container: Any
    place: Place | None
    nodes_before: int
    deepest: int
    anchor: str | None
    is_mapping: bool
    key: Any
    key_event: Any = None
    merge: list[tuple[Any, Place | None]] = attrs.field(factory=list)
    merge_event: Any = None


@attrs.frozen
class _Anchored:
    """What an alias repeats: *nodes* of it in all, *height* levels of mappings and lists."""

    value: Any
    place: Place | None
    nodes: int
    height: int


_NO_KEY = object()
_MERGE = object()


class Builder:
    """Builds data, and places when asked, from a text; for one use."""

    def __init__(self, text: str, path: str, *, places: bool = False) -> None:
        self._text = text
        self._path = path
        self._places = places
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchored | None] = {}
        self._nodes = 0
        self._aliased = 0
        self._documents = 0
        self._top: tuple[Any, Place | None] = (None, None)

    def build(self) -> tuple[Any, Place | None]:
        """The document's data and its places; ``None`` and ``None`` for an empty one."""
        try:
            next_event = _events(self._text)
            while (event := next_event()) is not None:
                self._take(event, type(event))
        except YAMLError as exc:
            raise self._syntax_error(exc) from None
        return self._top

    def _take(self, event: Any, kind: type) -> None:
        if kind is ScalarEvent:
            self._nodes += 1
            value = event.value
            if event.tag is not None or (event.implicit[0] and (not value or value[0] in SUSPECT)):
                value = self._scalar(event)
            place = Place(event) if self._places else None
            if event.anchor is not None:
                self._anchors[event.anchor] = _Anchored(value, place, 1, 0)
            self._put(value, place, event)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            self._open(event, kind is MappingStartEvent)
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            self._close(event)
        elif kind is AliasEvent:
            self._repeat(event)
        elif kind is DocumentStartEvent:
            self._documents += 1
            self._check_document(event)

    def _scalar(self, event: Any) -> Any:
        try:
            return plain_scalar(event.value) if event.tag is None else tagged_scalar(event.tag, event.value)
        except ValueError as exc:
            raise self._error(str(exc), event) from None

    def _open(self, event: Any, is_mapping: bool) -> None:
        stack = self._stack
        self._nodes += 1
        if event.tag not in (None, "!", CORE_TAG + ("map" if is_mapping else "seq")):
            raise self._error(unknown_tag(event.tag), event)
        if len(stack) >= MAX_DEPTH:
            raise self._too_deep(event)
        if self._wants_key():
            raise self._bad_key(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        place = Place(event, {}) if self._places else None
        container: Any = {} if is_mapping else []
        stack.append(_Frame(container, place, self._nodes - 1, len(stack) + 1, event.anchor, is_mapping, _NO_KEY))

    def _close(self, event: Any) -> None:
        stack = self._stack
        done = stack.pop()
        if done.merge:
            _apply_merges(done)
        if stack and done.deepest > stack[-1].deepest:
            stack[-1].deepest = done.deepest
        if done.anchor is not None:
            height = done.deepest - len(stack)
            self._anchors[done.anchor] = _Anchored(done.container, done.place, self._nodes - done.nodes_before, height)
        self._put(done.container, done.place, event)

    def _repeat(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            raise self._error(f"no anchor '&{event.anchor}' stands before this alias", event)
        known = self._anchors[event.anchor]
        if known is None:
            raise self._error(f"the alias '*{event.anchor}' stands inside of what it repeats", event)
        self._nodes += known.nodes
        self._aliased += known.nodes
        if self._aliased > MAX_ALIASED:
            raise self._error(
                f"too many aliases: they add more than {MAX_ALIASED:,} values to the file",
                event,
                code=LIMIT,
                help="write the values out, or split the file",
            )
        if self._stack:
            depth = len(self._stack) + known.height
            if depth > MAX_DEPTH:
                raise self._too_deep(event)
            self._stack[-1].deepest = max(self._stack[-1].deepest, depth)
            if known.height and self._wants_key():
                raise self._bad_key(event)
        self._put(known.value, known.place, event)

    def _wants_key(self) -> bool:
        return bool(self._stack) and self._stack[-1].is_mapping and self._stack[-1].key is _NO_KEY

    def _put(self, value: Any, place: Place | None, event: Any) -> None:
        """Hand a finished value to the mapping or list around it."""
        if not self._stack:
            self._top = (value, place)
            return
        frame = self._stack[-1]
        if not frame.is_mapping:
            if place is not None:
                _children(frame)[len(frame.container)] = (None, place)
            frame.container.append(value)
        elif frame.key is _NO_KEY:
            if value == "<<" and type(event) is ScalarEvent and event.implicit[0] and event.tag is None:
                if frame.merge_event is not None:
                    raise self._given_twice("<<", frame.merge_event, event)
                value, frame.merge_event = _MERGE, event
            elif value in frame.container:
                raise self._duplicate(frame, value, event)
            frame.key, frame.key_event = value, event
        else:
            if frame.key is _MERGE:
                self._keep_merge(frame, value, place)
            else:
                if place is not None:
                    _children(frame)[frame.key] = (frame.key_event, place)
                frame.container[frame.key] = value
            frame.key = _NO_KEY

    def _keep_merge(self, frame: _Frame, value: Any, place: Place | None) -> None:
        several = value if isinstance(value, list) else [value]
        if not all(isinstance(one, dict) for one in several):
            raise self._error("'<<' takes a mapping or a list of mappings", frame.merge_event)
        children = place.children if isinstance(value, list) and place is not None else None
        for index, one in enumerate(several):
            frame.merge.append((one, children[index][1] if children else place))

    # -- errors

    def _error(self, message: str, event: Any, *, code: str = UNREADABLE, help: str | None = None) -> ConfigFileError:
        where = location(self._path, event.start_mark, event.end_mark)
        return ConfigFileError(message, code=code, location=where, help=help)

    def _bad_key(self, event: Any) -> ConfigFileError:
        return self._error("a mapping or list cannot be a key", event, help="use a text as key")

    def _too_deep(self, event: Any) -> ConfigFileError:
        return self._error(f"more than {MAX_DEPTH} levels inside each other", event, code=LIMIT)

    def _check_document(self, event: Any) -> None:
        if self._documents > 1:
            raise self._error("a second document begins here", event, help="keep one document in one file")
        if event.version is not None and tuple(event.version) != (1, 2):
            remedy = "remove the %YAML line: files are read as YAML 1.2"
            raise self._error("the file asks for another version of YAML", event, help=remedy)

    def _duplicate(self, frame: _Frame, key: Any, event: Any) -> ConfigFileError:
        if frame.place is None:
            # This pass keeps no places: the same text once more with them ends here again, and knows the first one.
            Builder(self._text, self._path, places=True).build()
        return self._given_twice(key, _children(frame)[key][0], event)

    def _given_twice(self, key: Any, first: Any, event: Any) -> ConfigFileError:
        return self._error(
            f"the key '{key}' is given twice; the first one is at {location(self._path, first.start_mark)}",
            event,
            code=DUPLICATE,
            help="keep one of them",
        )

    def _syntax_error(self, exc: YAMLError) -> ConfigFileError:
        problem, remedy, where = str(exc), None, Location(self._path, 1, 1)
        if isinstance(exc, MarkedYAMLError):
            problem = ", ".join(part for part in (exc.context, exc.problem) if part)
            mark = exc.problem_mark or exc.context_mark
            if mark is not None:
                where, line = self._inside(mark)
                if "\t" in line[: len(line) - len(line.lstrip())] or "'\\t'" in problem:
                    problem, remedy = "a tab cannot indent a line", "indent with spaces"
        return ConfigFileError(f"the YAML cannot be read: {problem}", code=UNREADABLE, location=where, help=remedy)

    def _inside(self, mark: Any) -> tuple[Location, str]:
        """The mark as a place in the text, with its line; the parser likes to point behind the end of the file."""
        lines = LINE_BREAK.split(self._text.rstrip("\r\n"))
        number = min(mark.line, len(lines) - 1)
        line = lines[number]
        column = min(mark.column, len(line)) if number == mark.line else len(line)
        return Location(self._path, number + 1, column + 1), line


def _children(frame: _Frame) -> dict[Any, tuple[Any, Place]]:
    assert frame.place is not None
    assert frame.place.children is not None
    return frame.place.children


def _apply_merges(frame: _Frame) -> None:
    """Add merged keys that the mapping itself does not give; of several merged mappings the first one wins."""
    for value, place in frame.merge:
        for key, item in value.items():
            if key not in frame.container:
                frame.container[key] = item
                if place is not None and place.children is not None:
                    _children(frame)[key] = place.children[key]


def _events(text: str) -> Callable[[], Any]:
    """A function that gives the next event, or ``None`` after the last one."""
    try:
        # There are two builds of the C parser under two names; the package knows which one is here.
        cyaml = importlib.import_module("ruamel.yaml.cyaml")
    except ImportError:
        return _pure_events(text)
    get: Callable[[], Any] = cyaml.CParser(text).get_event
    return get


def _pure_events(text: str) -> Callable[[], Any]:
    from ruamel.yaml import YAML

    events: Iterator[Any] = YAML(typ="safe", pure=True).parse(text)
    return lambda: next(events, None)
