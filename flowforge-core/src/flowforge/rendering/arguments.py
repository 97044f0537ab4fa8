"""The arguments of portable functions: what templates may give for an expression, a part, a type or a value."""

from __future__ import annotations

import datetime as dt
import decimal
import functools
import inspect
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from flowforge.config.flaws import nearest
from flowforge.contract import Dialect
from flowforge.contract.functions import PARTS, TYPES
from flowforge.errors import RenderError, UnsupportedError
from flowforge.frozen import frozen
from flowforge.project.lexer import Kind, code_spans, lex
from flowforge.rendering.limits import MAX_TEXT, size
from flowforge.rendering.secret import holds_secret

MAX_DIGITS = 38
"""Digits of a decimal number on every engine."""
_ATOM = re.compile(r"[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)*|\d+|'[^'\\]*'|\"[^\"]*\"(\.\"[^\"]*\")*")
_NUMERIC = re.compile(r"numeric\s*(?:\(\s*(\d{1,3})\s*(?:,\s*(\d{1,3})\s*)?\))?")
_OTHER_TYPE = re.compile(r"[A-Za-z_][\w .\[\]<>:\"]*(\(\s*[\w ,]*\))?[\w .\[\]]*")
_SPELLINGS = {"int": "integer", "text": "string", "varchar": "string", "bool": "boolean", "decimal": "numeric"}
_TRUE, _FALSE = frozenset({"true", "t", "yes", "y", "1"}), frozenset({"false", "f", "no", "n", "0"})
_BITS = {"integer": 31, "bigint": 63}


class WrongArgument(Exception):
    """An argument that makes no sense. The message says what it is, *hint* what it could be."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@frozen
class SqlType:
    """A type: one of the portable words, or one of the engine's own, which has no *word*.

    Parameters
    ----------
    name:
        As it stands in SQL.
    precision, scale:
        Digits of a decimal number, and those behind the point.
    """

    word: str
    name: str
    precision: int = MAX_DIGITS
    scale: int = 9

    @property
    def fields(self) -> Mapping[str, str]:
        """What templates of an engine may say of it."""
        limit = "1" + "0" * (self.precision - self.scale)
        return {"type": self.name, "precision": str(self.precision), "scale": str(self.scale), "limit": limit}


def checked(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """*function* as templates call it under *name*: whatever is wrong with its arguments is an error of the template."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise _refused(name, signature, str(error)) from None
        try:
            size((args, kwargs), MAX_TEXT)
            return function(*bound.args, **bound.kwargs)
        except WrongArgument as error:
            raise _refused(name, signature, str(error), error.hint) from None
        except UnsupportedError as error:
            raise RenderError(
                f"{name}() cannot be written for this engine: {error.message}",
                code="FF1418",
                help=error.help or "write it in the engine's own SQL, behind {% if ff_is_engine(...) %}",
            ) from None

    return call


def _refused(name: str, signature: inspect.Signature, message: str, hint: str | None = None) -> RenderError:
    shown = ", ".join(
        str(one.replace(annotation=inspect.Parameter.empty)) for one in signature.parameters.values()
    ).replace("=<no default>", "")
    return RenderError(f"{name}(): {message}", code="FF1417", help=hint or f"write {name}({shown})")


def expression(value: Any, what: str = "the expression") -> str:
    """SQL for one value, in parentheses unless it is a name, a number or a plain text."""
    if not isinstance(value, str):
        raise WrongArgument(
            f"{what} is {_described(value)}, and not SQL text",
            "write SQL as text, such as 'price * 2'; `| sql_literal` makes SQL of a value",
        )
    text = value.strip()
    if _ATOM.fullmatch(text):
        return text
    tokens = lex(text, jinja=False)
    if any(token.kind is Kind.COMMENT for token in tokens):
        raise WrongArgument(f"{what} holds an SQL comment, which would hide what comes after it", "remove the comment")
    if not text or not _is_whole(text, tokens):
        said = "is empty" if not text else f"is no whole expression: {text!r}"
        raise WrongArgument(f"{what} {said}", "write a column, or an expression such as 'price * 2'")
    return f"({text})"


def _is_whole(text: str, tokens: Sequence[Any]) -> bool:
    """Whether quotes and parentheses are closed, and no statement ends inside."""
    if not all(token.closed for token in tokens):
        return False
    depth = 0
    for start, end in code_spans(text, list(tokens)):
        for character in text[start:end]:
            depth += (character == "(") - (character == ")")
            if depth < 0 or character == ";":
                return False
    return depth == 0


def expressions(values: Iterable[Any]) -> list[str]:
    """Expressions that are given one by one or as a list."""
    flat: list[Any] = []
    for value in values:
        flat += value if isinstance(value, (list, tuple)) else [value]
    if not flat:
        raise WrongArgument("there has to be at least one expression")
    return [expression(value) for value in flat]


def part(value: Any) -> str:
    """One of :data:`flowforge.contract.functions.PARTS`."""
    word = value.strip().lower() if isinstance(value, str) else None
    if word in PARTS:
        assert word is not None
        return word
    near = nearest(word, PARTS) if word else None
    raise WrongArgument(f"there is no part {value!r}" if word else _described(value) + " is no part", near or _parts())


def _parts() -> str:
    return f"the parts are {', '.join(PARTS)}"


def ordering(value: Any, dialect: Dialect, say: Callable[[str], str]) -> str:
    """What an aggregate is ordered by: expressions, each with ``asc`` or ``desc`` behind it or not.

    *say* gives an expression in the SQL of the engine.
    """
    items = value if isinstance(value, (list, tuple)) else [value]
    if not items:
        raise WrongArgument("order_by is empty", "an order is needed: without one, each run may give another text")
    written = []
    for item in items:
        words = item.rsplit(None, 1) if isinstance(item, str) else []
        down = len(words) == 2 and words[1].lower() == "desc"
        if len(words) == 2 and words[1].lower() in ("asc", "desc"):
            item = words[0]
        written.append(dialect.ordered(say(expression(item, "order_by")), descending=down))
    return ", ".join(written)


def sql_type(dialect: Dialect, value: Any) -> SqlType:
    """The type that a word means on an engine."""
    text = value.strip() if isinstance(value, str) else ""
    word = text.lower()
    head = re.match(r"\w*", word)
    first = head[0] if head else ""
    if first in _SPELLINGS and (first == "decimal" or word == first):
        word = _SPELLINGS[first] + word[len(first) :]
    number = _NUMERIC.fullmatch(word)
    if number is not None:
        precision = int(number[1] or MAX_DIGITS)
        scale = int(number[2] or 0) if number[1] else 9
        if not 1 <= precision <= MAX_DIGITS or scale > precision:
            raise WrongArgument(
                f"there is no type {text!r}",
                f"numeric has 1 to {MAX_DIGITS} digits, and as many behind the point at most",
            )
        name = dialect.function("type.numeric", precision=str(precision), scale=str(scale))
        return SqlType("numeric", name, precision, scale)
    if word in TYPES:
        return SqlType(word, dialect.function(f"type.{word}"))
    if not _OTHER_TYPE.fullmatch(text):
        raise WrongArgument(f"{value!r} is no type" if text else _described(value) + " is no type", _types())
    return SqlType("", text)


def _types() -> str:
    return "portable types are string, integer, bigint, double, numeric(p, s), boolean, date and timestamp"


def literal(dialect: Dialect, value: Any) -> str:
    """A value as a literal of the engine."""
    if isinstance(value, str) and holds_secret(value):
        raise RenderError(
            "a secret cannot be made an SQL literal, because its quotes could not be doubled",
            code="FF1414",
            help="secrets belong into profiles.yml; a value that models need is no secret",
        )
    try:
        return dialect.literal(value)
    except TypeError as error:
        hint = "join the items: values | map('sql_literal') | join(', ')" if isinstance(value, (list, tuple)) else None
        raise WrongArgument(f"{_described(value)} has no SQL literal: {error}", hint) from None


def default_of(type_: SqlType, value: Any) -> Any:
    """The value that *value* is as one of *type_*, which is a portable one."""
    try:
        converted = _CONVERTERS[type_.word](value, type_)
    except (ValueError, ArithmeticError):
        converted = None
    if converted is None:
        raise WrongArgument(
            f"the default {_described(value)} is no {type_.word}",
            "for SQL as the default, write coalesce(..., ...) around it",
        )
    return converted


def _string(value: Any, type_: SqlType) -> Any:
    return value if isinstance(value, str) else None


def _integer(value: Any, type_: SqlType) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    number, top = int(value), 2 ** _BITS[type_.word]
    return number if -top <= number < top else None


def _double(value: Any, type_: SqlType) -> Any:
    number = None if isinstance(value, bool) else float(value) if isinstance(value, (int, float, str)) else None
    return number if number is not None and math.isfinite(number) else None


def _numeric(value: Any, type_: SqlType) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, decimal.Decimal)):
        return None
    with decimal.localcontext(decimal.Context(prec=3 * MAX_DIGITS)):
        number = decimal.Decimal(repr(value) if isinstance(value, float) else value)
        rounded = number.quantize(decimal.Decimal(1).scaleb(-type_.scale), decimal.ROUND_HALF_UP)
        return rounded if abs(rounded) < decimal.Decimal(10) ** (type_.precision - type_.scale) else None


def _boolean(value: Any, type_: SqlType) -> Any:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, (str, int)) else ""
    return True if word in _TRUE else False if word in _FALSE else None


def _date(value: Any, type_: SqlType) -> Any:
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    return dt.date.fromisoformat(value) if isinstance(value, str) else None


def _timestamp(value: Any, type_: SqlType) -> Any:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the type has no time zone
    moment = (
        value
        if isinstance(value, dt.datetime)
        else dt.datetime.fromisoformat(value)
        if isinstance(value, str)
        else None
    )
    return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment is not None and moment.tzinfo else moment


_CONVERTERS: Mapping[str, Callable[[Any, SqlType], Any]] = {
    "string": _string,
    "integer": _integer,
    "bigint": _integer,
    "double": _double,
    "numeric": _numeric,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _timestamp,
}


def _described(value: Any) -> str:
    """What a value is, for an error; one that is undefined says so by itself."""
    text = str(value)
    if value is None:
        return "none"
    return f"{type(value).__name__} {text!r}" if len(text) <= 40 else f"a {type(value).__name__}"
