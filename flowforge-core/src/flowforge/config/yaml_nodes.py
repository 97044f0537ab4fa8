"""From the parser's events to plain data and places, one node at a time and without recursion.

Everything that has to be refused before it is expanded is refused here. Knows YAML's events and errors, and nothing
of files.
"""

from __future__ import annotations

import importlib
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

from flowforge.config.yaml_places import LINE_BREAK, Places
from flowforge.config.yaml_scalars import CORE_TAG, SUSPECT, plain_scalar, tagged_scalar, unknown_tag
from flowforge.errors import ConfigFileError
from flowforge.frozen import frozen
from flowforge.values import Location

MAX_DEPTH = 100
"""Mappings and lists inside each other."""
MAX_ALIASED = 10_000
"""Nodes that aliases may add to a document."""

# The C parser follows YAML 1.1 inside of brackets, where `{url: http://host}` and `[a?]` were not allowed.
_DISPUTED = ("found unexpected ':'", "did not find expected ',' or")

UNREADABLE, DUPLICATE, LIMIT = "FF1002", "FF1003", "FF1008"


@attrs.define
class _Frame:
    """A mapping or list that is being filled. *deepest* counts levels from the top of the document."""

    container: Any
    node: int
    nodes_before: int
    deepest: int
    anchor: str | None
    is_mapping: bool
    key: Any
    merge: list[dict[Any, Any]] = attrs.field(factory=list)
    merge_node: int | None = None


@frozen
class _Anchored:
    """What an alias repeats: *nodes* of it in all, *height* levels of mappings and lists."""

    value: Any
    node: int
    nodes: int
    height: int


_NO_KEY = object()
_MERGE = object()


class Builder:
    """Builds data and places from a text; for one use.

    *disputed* becomes true when the text failed at something that YAML 1.2 allows and the C parser does not.
    """

    def __init__(self, text: str, path: str, events: Callable[[str], Callable[[], Any]]) -> None:
        self._events = events
        self._text = text
        self._path = path
        self.places = Places(text)
        self.disputed = False
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchored | None] = {}
        self._nodes = 0
        self._aliased = 0
        self._documents = 0
        self._top: Any = None

    def build(self) -> Any:
        """The document's data; ``None`` for an empty one."""
        try:
            next_event = self._events(self._text)
            while (event := next_event()) is not None:
                self._take(event, type(event))
        except YAMLError as exc:
            self.disputed = any(words in str(exc) for words in _DISPUTED)
            raise self._syntax_error(exc) from None
        return self._top

    def _take(self, event: Any, kind: type) -> None:
        if kind is ScalarEvent:
            self._nodes += 1
            value = event.value
            if event.tag is not None or (event.implicit[0] and (not value or value[0] in SUSPECT)):
                value = self._scalar(event)
            node = self.places.add(event.start_mark.index, event.end_mark.index)
            if event.anchor is not None:
                self._anchors[event.anchor] = _Anchored(value, node, 1, 0)
            self._put(value, node, event)
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
        node = self.places.add(event.start_mark.index, event.end_mark.index)
        container: Any = {} if is_mapping else []
        stack.append(_Frame(container, node, self._nodes - 1, len(stack) + 1, event.anchor, is_mapping, _NO_KEY))

    def _close(self, event: Any) -> None:
        stack = self._stack
        done = stack.pop()
        self.places.close(done.node)
        if done.merge:
            _apply_merges(done)
        if stack and done.deepest > stack[-1].deepest:
            stack[-1].deepest = done.deepest
        if done.anchor is not None:
            height = done.deepest - len(stack)
            self._anchors[done.anchor] = _Anchored(done.container, done.node, self._nodes - done.nodes_before, height)
        self._put(done.container, done.node, event)

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
        node = self.places.add(event.start_mark.index, event.end_mark.index)
        self.places.link(node, known.node)
        self._put(known.value, node, event)

    def _wants_key(self) -> bool:
        return bool(self._stack) and self._stack[-1].is_mapping and self._stack[-1].key is _NO_KEY

    def _put(self, value: Any, node: int, event: Any) -> None:
        """Hand a finished value to the mapping or list around it."""
        if not self._stack:
            self._top = value
            return
        frame = self._stack[-1]
        if not frame.is_mapping:
            frame.container.append(value)
        elif frame.key is _NO_KEY:
            start = event.start_mark.index
            if start and self._text[start - 1] == "?" and type(event) is ScalarEvent and event.value:
                # Inside of brackets this is a text in YAML 1.2, and the key without its question mark for the parser.
                raise self._error("a question mark stands directly in front of a key", event, help="put it in quotes")
            if value == "<<" and type(event) is ScalarEvent and event.implicit[0] and event.tag is None:
                if frame.merge_node is not None:
                    raise self._given_twice(value, frame.merge_node, event)
                value, frame.merge_node = _MERGE, node
            elif value in frame.container:
                raise self._given_twice(value, self.places.key_node(frame.node, frame.container, value), event)
            frame.key = value
        else:
            if frame.key is _MERGE:
                self._keep_merge(frame, value, node, event)
            else:
                frame.container[frame.key] = value
            frame.key = _NO_KEY

    def _keep_merge(self, frame: _Frame, value: Any, node: int, event: Any) -> None:
        several = value if isinstance(value, list) else [value]
        if not all(isinstance(one, dict) for one in several):
            raise self._error("'<<' takes a mapping or a list of mappings", event)
        assert frame.merge_node is not None
        self.places.merge(frame.node, frame.merge_node, node, value)
        frame.merge += several

    # -- errors

    def _error(self, message: str, event: Any, *, code: str = UNREADABLE, help: str | None = None) -> ConfigFileError:
        node = self.places.add(event.start_mark.index, event.end_mark.index)
        return ConfigFileError(message, code=code, location=self.places.location(node, self._path), help=help)

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

    def _given_twice(self, key: Any, first: int, event: Any) -> ConfigFileError:
        where = self.places.location(first, self._path)
        return self._error(
            f"the key '{key}' is given twice; the first one is at {where}",
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


def _apply_merges(frame: _Frame) -> None:
    """Add merged keys that the mapping itself does not give; of several merged mappings the first one wins."""
    for mapping in frame.merge:
        for key, item in mapping.items():
            frame.container.setdefault(key, item)


def fast_events(text: str) -> Callable[[], Any]:
    """A function that gives the next event, or ``None`` after the last one; by the C parser where there is one."""
    try:
        # There are two builds of the C parser under two names; the package knows which one is here.
        cyaml = importlib.import_module("ruamel.yaml.cyaml")
    except ImportError:
        return exact_events(text)
    get: Callable[[], Any] = cyaml.CParser(text).get_event
    return get


def exact_events(text: str) -> Callable[[], Any]:
    """The same by the pure parser: many times slower, and with YAML 1.2's rules for scalars inside of brackets."""
    from ruamel.yaml import YAML

    events: Iterator[Any] = YAML(typ="safe", pure=True).parse(text)

    def get() -> Any:
        event = next(events, None)
        if type(event) is ScalarEvent and any("\ud800" <= char <= "\udfff" for char in event.value):
            problem = "found an escape that is half of a character"  # which the C parser refuses by itself
            raise MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        return event

    return get
