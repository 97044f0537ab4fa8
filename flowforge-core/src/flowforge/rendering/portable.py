"""The functions that templates call for SQL which means the same on every engine: ``ff_date_trunc`` and its like.

Each checks its arguments and puts together what the engine's dialect says; nothing is executed. The reference page of
templates says what each of them gives.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from flowforge.contract import Dialect
from flowforge.rendering.arguments import (
    WrongArgument,
    checked,
    default_of,
    expression,
    expressions,
    literal,
    ordering,
    part,
    sql_type,
)


def _same(sql: str) -> str:
    return sql


def portable_functions(
    dialect: Dialect, say: Callable[[str], str] = _same, put: Callable[[str], str] = _same
) -> dict[str, Callable[..., Any]]:
    """The functions by their names, for one engine.

    Parameters
    ----------
    say:
        Called with each expression of a template; gives it in the SQL of the engine.
    put:
        Called with what a function has written; gives what to put into the template's text for it.
    """
    writer = _Writer(dialect, say)
    functions: dict[str, Callable[..., Any]] = {
        "ff_date_trunc": writer.date_trunc,
        "ff_date_add": writer.date_add,
        "ff_date_diff": writer.date_diff,
        "ff_current_timestamp": writer.current_timestamp,
        "ff_type": writer.type,
        "ff_text": writer.text,
        "ff_safe_cast": writer.safe_cast,
        "ff_concat": writer.concat,
        "ff_hash": writer.hash,
        "ff_string_agg": writer.string_agg,
        "ff_bool_or": writer.bool_or,
        "ff_bool_and": writer.bool_and,
        "ff_partition_filter": writer.partition_filter,
        "ff_partition_in": writer.partition_in,
    }

    def written(function: Callable[..., str]) -> Callable[..., str]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> str:
            return put(function(*args, **kwargs))

        return call

    return {name: checked(name, written(function)) for name, function in functions.items()}


def literal_filter(dialect: Dialect, put: Callable[[str], str] = _same) -> Callable[[Any], str]:
    """``value | sql_literal``; *put* as for :func:`portable_functions`."""

    def sql_literal(value: Any) -> str:
        return put(literal(dialect, value))

    return checked("sql_literal", sql_literal)


class _Writer:
    """Writes functions for one engine. Parameters have the names that templates may use."""

    def __init__(self, dialect: Dialect, say: Callable[[str], str]) -> None:
        self._dialect = dialect
        self._write = dialect.function
        self._say = say

    def _expr(self, value: Any, what: str = "the expression") -> str:
        return self._say(expression(value, what))

    # moments

    def date_trunc(self, expr: str, part: str = "day") -> str:
        return self._of_part("date_trunc", part, expr=self._expr(expr))

    def date_add(self, expr: str, part: str, amount: int | str) -> str:
        if isinstance(amount, int) and not isinstance(amount, bool):
            count = str(amount) if amount >= 0 else f"({amount})"
        else:
            count = self._expr(amount, "amount")
        return self._of_part("date_add", part, expr=self._expr(expr), amount=count)

    def date_diff(self, start: str, end: str, part: str) -> str:
        return self._of_part("date_diff", part, start=self._expr(start, "start"), end=self._expr(end, "end"))

    def _of_part(self, name: str, word: str, **fields: str) -> str:
        chosen = part(word)
        return self._write(f"{name}.{chosen}", part=chosen, **fields)

    def current_timestamp(self) -> str:
        return self._write("current_timestamp")

    # types

    def type(self, type: str) -> str:
        return sql_type(self._dialect, type).name

    def text(self, expr: str, type: str | None = None) -> str:
        if type is None:
            return self._write("text", expr=self._expr(expr))
        wanted = sql_type(self._dialect, type)
        if wanted.word in ("", "double"):
            raise WrongArgument(
                f"the text of {'a double' if wanted.word else repr(type)} is not the same on every engine",
                "give a portable type, such as timestamp or numeric(18, 4)",
            )
        if wanted.word in ("string", "integer", "bigint"):
            return self._write("text", expr=self._expr(expr))
        return self._write(f"text.{wanted.word}", expr=self._expr(expr), **wanted.fields)

    def safe_cast(self, expr: str, type: str, default: Any = None) -> str:
        wanted = sql_type(self._dialect, type)
        key = f"safe_cast.{wanted.word}" if wanted.word else "safe_cast"
        cast = self._write(key, expr=self._expr(expr), **wanted.fields)
        if default is None:
            return cast
        value = default_of(wanted, default) if wanted.word else default
        return f"COALESCE({cast}, {self._dialect.cast(literal(self._dialect, value), wanted.name)})"

    # texts

    def concat(self, *exprs: str) -> str:
        texts = [self._write("text", expr=one) for one in map(self._say, expressions(exprs))]
        return functools.reduce(lambda left, right: self._write("concat", left=left, right=right), texts)

    def hash(self, *exprs: str) -> str:
        """Each text is written so that none of its characters can be a separator, and NULL so that no text can be it."""
        text = functools.partial(literal, self._dialect)
        told = []
        for one in map(self._say, expressions(exprs)):
            escaped = self._write("text", expr=one)
            for old, new in (("~", "~~"), ("|", "~1")):
                escaped = self._write("replace", expr=escaped, old=text(old), new=text(new))
            told.append(f"COALESCE({escaped}, {text('~0')})")
        separated = [told[0], *(self._write("concat", left=text("|"), right=one) for one in told[1:])]
        whole = functools.reduce(lambda left, right: self._write("concat", left=left, right=right), separated)
        return self._write("md5", text=whole)

    # aggregates

    def string_agg(self, expr: str, sep: str, order_by: str | list[str]) -> str:
        if not isinstance(sep, str):
            raise WrongArgument("the separator is no text", "for example ff_string_agg('name', ', ', order_by='id')")
        separator = literal(self._dialect, sep)
        order = ordering(order_by, self._dialect, self._say)
        return self._write("string_agg", expr=self._expr(expr), separator=separator, order_by=order)

    def bool_or(self, expr: str) -> str:
        return self._write("bool_or", expr=self._expr(expr))

    def bool_and(self, expr: str) -> str:
        return self._write("bool_and", expr=self._expr(expr))

    # partitions

    def partition_filter(self, col: str, start: Any = None, end: Any = None) -> str:
        column = self._expr(col, "the column")
        first, last = (None if one is None else literal(self._dialect, one) for one in (start, end))
        if first is not None and last is not None:
            return f"({column} BETWEEN {first} AND {last})"
        if first is not None:
            return f"({column} >= {first})"
        return f"({column} <= {last})" if last is not None else "(1 = 1)"

    def partition_in(self, col: str, values: Any) -> str:
        column = self._expr(col, "the column")
        if values is None or isinstance(values, Mapping):
            raise WrongArgument("values is no list", "for example ff_partition_in('day', ['2024-01-01', '2024-01-02'])")
        many = not isinstance(values, (str, bytes)) and hasattr(values, "__iter__")
        items = list(values) if many else [values]
        listed = ", ".join(literal(self._dialect, one) for one in items if one is not None)
        tests = [f"{column} IN ({listed})"] if listed else []
        tests += [f"{column} IS NULL"] if any(one is None for one in items) else []
        return f"({' OR '.join(tests)})" if tests else "(1 = 0)"
