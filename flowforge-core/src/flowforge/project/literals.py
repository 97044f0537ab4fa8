"""Reads the literal arguments of a call in a template without Jinja, in the same way as Jinja would.

What it cannot read exactly it leaves to Jinja's own parser: :class:`NotLiteral`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flowforge.frozen import frozen


class NotLiteral(ValueError):
    """The text is no literal that this module reads; it may still be valid Jinja."""


@frozen
class Argument:
    """One argument: its value, where it stands, and where the name of a keyword argument stands.

    *items* are the offsets of the parts when the value is a list or tuple.
    """

    value: Any
    offset: int
    name_offset: int
    items: tuple[int, ...] = ()


@frozen
class Arguments:
    """The arguments of one call. *end* is the offset behind the closing parenthesis."""

    positional: tuple[Argument, ...]
    keywords: Mapping[str, Argument]
    end: int

    @property
    def args(self) -> tuple[Any, ...]:
        """The values of the positional arguments."""
        return tuple(argument.value for argument in self.positional)

    @property
    def kwargs(self) -> dict[str, Any]:
        """The values of the keyword arguments."""
        return {name: argument.value for name, argument in self.keywords.items()}


_TOKEN = re.compile(
    r"\s*+(?:(?P<string>'(?>[^'\\]++|\\.)*+'|\"(?>[^\"\\]++|\\.)*+\")"
    r"|(?P<float>\d++(?:\.\d++(?:[eE][-+]?\d++)?|[eE][-+]?\d++))(?![\w.])"
    r"|(?P<int>0|[1-9]\d{0,999})(?![\w.])"
    r"|(?P<name>[A-Za-z_]\w*+)"
    r"|(?P<op>[][(){},:=-]))",
    re.S,
)
_NAMES: Mapping[str, Any] = {"true": True, "True": True, "false": False, "False": False, "none": None, "None": None}
_CLOSING = {"[": "]", "(": ")", "{": "}"}
_DEPTH = 50
_ESCAPE = re.compile(
    r"\\(?:\n|([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|N\{([^}]*)\}|(.))", re.S
)
_SIMPLE_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def decode_string(raw: str) -> str:
    """The text that a string literal (with its quotes) stands for.

    As Jinja, except that an escape that Python does not know (``\\d``) keeps its backslash without a warning.

    Raises
    ------
    ValueError
        For an escape that is cut short or names no character.
    """
    body = raw[1:-1]
    if "\\" not in body:
        return body
    return _ESCAPE.sub(_decode_escape, body)


def _decode_escape(match: re.Match[str]) -> str:
    octal, *hexes, name, other = match.groups()
    if octal is not None:
        return chr(int(octal, 8))
    for digits in hexes:
        if digits is not None:
            code = int(digits, 16)
            if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                raise ValueError("illegal Unicode character")
            return chr(code)
    if name is not None:
        import unicodedata

        try:
            return unicodedata.lookup(name)
        except KeyError:
            raise ValueError("unknown Unicode character name") from None
    if other is None:
        return ""
    if other in "'\"\\":
        return str(other)
    if other in _SIMPLE_ESCAPES:
        return _SIMPLE_ESCAPES[other]
    if other in "xuUN":
        raise ValueError(f"truncated \\{other} escape")
    return f"\\{other}"


def parse_arguments(text: str, pos: int) -> Arguments:
    """The arguments of a call whose opening parenthesis stands right before *pos*.

    Raises
    ------
    NotLiteral
        When any of them is not a literal.
    """
    return _Reader(text, pos).arguments()


class _Reader:
    """Reads tokens from one text, one ahead."""

    def __init__(self, text: str, pos: int) -> None:
        self._text = text
        self._next(pos)

    def _next(self, pos: int) -> None:
        match = _TOKEN.match(self._text, pos)
        if match is None or match.lastgroup is None:
            raise NotLiteral
        self._kind = match.lastgroup
        self._value = match[self._kind]
        self._start = match.start(self._kind)
        self._end = match.end()

    def _advance(self) -> None:
        self._next(self._end)

    def _is(self, op: str) -> bool:
        return self._kind == "op" and self._value == op

    def arguments(self) -> Arguments:
        positional: list[Argument] = []
        keywords: dict[str, Argument] = {}
        while not self._is(")"):
            start = self._start
            name: str | None = None
            if self._kind == "name":
                name = self._value
                self._advance()
                if self._is("="):
                    if name in keywords:
                        raise NotLiteral
                    self._advance()
                else:
                    if name not in _NAMES:
                        raise NotLiteral
                    self._next(start)
                    name = None
            offset = self._start
            value, items = self._literal(0)
            argument = Argument(value, offset, start, items)
            if name is not None:
                keywords[name] = argument
            elif keywords:
                raise NotLiteral
            else:
                positional.append(argument)
            self._comma(")")
        return Arguments(tuple(positional), keywords, self._end)

    def _comma(self, closing: str) -> None:
        """Step over a comma; anything else must be *closing*, which stays."""
        if self._is(","):
            self._advance()
            if self._is(","):
                raise NotLiteral
        elif not self._is(closing):
            raise NotLiteral

    def _literal(self, depth: int) -> tuple[Any, tuple[int, ...]]:
        """The value at the current token, and the offsets of its items when it is a sequence; steps behind it."""
        kind, value = self._kind, self._value
        if kind == "op":
            if value in _CLOSING and depth < _DEPTH:
                return self._container(value, depth)
            if value == "-":
                self._advance()
                if self._kind not in ("int", "float"):
                    raise NotLiteral
                number, _ = self._literal(depth)
                return -number, ()
            raise NotLiteral
        self._advance()
        if kind == "string":
            if self._kind == "string":
                raise NotLiteral
            try:
                return decode_string(value), ()
            except ValueError as exc:
                raise NotLiteral from exc
        if kind == "name":
            if value not in _NAMES:
                raise NotLiteral
            return _NAMES[value], ()
        return (float(value) if kind == "float" else int(value)), ()

    def _container(self, opening: str, depth: int) -> tuple[Any, tuple[int, ...]]:
        closing = _CLOSING[opening]
        self._advance()
        values: list[Any] = []
        mapping: dict[Any, Any] = {}
        offsets: list[int] = []
        comma = False
        while not self._is(closing):
            offsets.append(self._start)
            value, _ = self._literal(depth + 1)
            if opening == "{":
                if not self._is(":") or not isinstance(value, str):
                    raise NotLiteral
                self._advance()
                mapping[value], _ = self._literal(depth + 1)
            values.append(value)
            comma = self._is(",")
            self._comma(closing)
        self._advance()
        if opening == "{":
            return mapping, ()
        if opening == "[":
            return values, tuple(offsets)
        if len(values) == 1 and not comma:
            return values[0], ()
        return tuple(values), tuple(offsets)
