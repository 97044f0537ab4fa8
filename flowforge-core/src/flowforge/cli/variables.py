"""What ``--vars`` takes: ``NAME=VALUE`` once or several times, one flag for all of them, or one mapping in YAML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

FLAGS = ("--vars", "--var")
_PAIR = re.compile(r"\s*([^\W\d][\w.-]*)\s*=", re.UNICODE)


class VarsOption(click.Option):
    """The option; commands that have it are known by it."""


def spread(command: click.Command | None, args: Sequence[str]) -> list[str]:
    """*args* with the flag in front of every pair, so that one flag may have several: ``--vars a=1 b=2``.

    Whatever stands behind the flag and its value and looks like ``NAME=VALUE`` belongs to it; the first argument that
    does not look so ends it.
    """
    if command is None or not any(isinstance(parameter, VarsOption) for parameter in command.params):
        return list(args)
    result: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*result, word, *rest]
        result.append(word)
        flag, equals, _ = word.partition("=")
        if flag not in FLAGS:
            continue
        if not equals and rest:
            result.append(rest.pop(0))
        while rest and _PAIR.match(rest[0]):
            result += [flag, rest.pop(0)]
    return result


def parse_vars(given: Iterable[str]) -> Mapping[str, Any]:
    """The variables of a command line; a later value for a name replaces an earlier one.

    Raises
    ------
    UsageError
        ``FF6426``, with the place in the text.
    """
    values: dict[str, Any] = {}
    for text in given:
        pair = _PAIR.match(text)
        if pair is not None:
            values[pair[1]] = _yaml(text, pair.end(), f"the value of {pair[1]!r}")
        else:
            values.update(_mapping(text))
    return values


def _mapping(text: str) -> Mapping[str, Any]:
    from flowforge.errors import UsageError

    values = _yaml(text, 0, "this mapping") if text.strip() else None
    if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
        raise UsageError(
            f"--vars wants NAME=VALUE or a mapping, not {text!r}",
            code="FF6426",
            help="for example --vars start=2024-01-01 limit=10, or --vars '{start: 2024-01-01, limit: 10}'",
        )
    return values


def _yaml(text: str, start: int, what: str) -> Any:
    """The value behind *start*, where a mistake has its place in all of *text*; which is not shown: it may be secret."""
    from flowforge.config.yaml import parse_yaml
    from flowforge.errors import ConfigFileError, UsageError
    from flowforge.values import Location

    try:
        return parse_yaml(text[start:], "--vars").data
    except ConfigFileError as error:
        where = error.location or Location("--vars")
        column = (where.column or 1) + (start if where.line in (None, 1) else 0)
        raise UsageError(
            f"{what} cannot be read: {error.message}",
            code="FF6426",
            location=Location("--vars", where.line or 1, column),
            help="values are YAML: put quotes around text with special characters, as in --vars 'note=\"a: b\"'",
        ) from error
