"""What is wrong with some data, in words: the messages of everything that is read from files.

Knows types and values, and no file: a flaw's path says where it is inside of the data.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import types
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import attrs

from flowforge.frozen import frozen

if TYPE_CHECKING:
    from flowforge.config.yaml import KeyPath

UNKNOWN_KEY, WRONG_VALUE, MISSING_KEY, LATER_KEY = "FF1004", "FF1005", "FF1006", "FF1007"

LISTS = (list, tuple, set, frozenset, Sequence, Collection, Iterable, AbstractSet)
MAPPINGS = (dict, Mapping)


@frozen
class Flaw:
    """One thing that is wrong with some data.

    Parameters
    ----------
    path:
        From the top of the data that was structured.
    on_key:
        True when the key is wrong, not its value.
    detail:
        What the message shows of the value; left out for secrets.
    key:
        The key that is missing or unknown.
    """

    message: str
    code: str
    path: KeyPath = ()
    on_key: bool = False
    detail: str = ""
    help: str | None = None
    key: str | None = None

    def under(self, step: str | int) -> Flaw:
        """The same flaw, seen from one level further up."""
        return attrs.evolve(self, path=(step, *self.path))

    @property
    def text(self) -> str:
        """The message with the name of what is wrong in front."""
        subject = "" if self.code != WRONG_VALUE or self.on_key else f"{label(self.path)} "
        return f"{subject}{self.message}{self.detail}"


class StructureError(Exception):
    """Data does not fit a class; *flaws* says why. Never leaves this room."""

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        super().__init__("; ".join(flaw.text for flaw in flaws))
        self.flaws = tuple(flaws)


def label(path: KeyPath) -> str:
    """How a message calls a value: its last key with the indexes behind it."""
    text = ""
    for step in path:
        text = f"{text}[{step}]" if isinstance(step, int) else step
    return f"'{text}'" if text else "the top level"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The help for a mistyped *word*: the nearest of the *known* ones, when one is near."""
    names = sorted(known)
    import difflib

    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if not close:
        close = [name for name in names if name.casefold() == word.casefold()]
    return f"did you mean '{close[0]}'?" if close else None


def describe(type_: Any) -> str:
    """What a message says is expected."""
    origin: Any = get_origin(type_)
    args = get_args(type_)
    if origin is Annotated:
        return describe(args[0])
    if origin is Literal:
        return _one_of(args)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(describe(arg) for arg in args if arg is not type(None)))
    plain = origin or type_
    if plain in LISTS:
        item = args[0] if args and args[0] is not Any else None
        return "a list" if item is None else f"a list of {_PLURALS.get(item, 'values')}"
    if plain in MAPPINGS or attrs.has(plain):
        return "a mapping"
    if isinstance(plain, type) and issubclass(plain, enum.Enum):
        return _one_of([member.value for member in plain])
    return _WORDS.get(plain, getattr(plain, "__name__", str(plain)))


def found(value: Any) -> str:
    """What a message says was found; long values are cut."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"the number {str(value)[:40]}"
    if isinstance(value, str):
        return f"the text '{value[:40]}{'...' if len(value) > 40 else ''}'"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, (list, tuple)) else f"a {type(value).__name__}"


_WORDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
    dt.date: "a date such as 2024-12-31",
    dt.datetime: "a time such as 2024-12-31T23:59:00",
    decimal.Decimal: "a number",
    type(None): "nothing",
}
_PLURALS = {str: "texts", int: "whole numbers", float: "numbers", Path: "paths"}


def _one_of(values: Iterable[Any]) -> str:
    return "one of " + ", ".join(f"'{value}'" if isinstance(value, str) else str(value) for value in values)


def wrong(type_: Any, value: Any, help: str | None = None) -> StructureError:
    return StructureError(
        [Flaw(f"should be {describe(type_)}", WRONG_VALUE, detail=f", found {found(value)}", help=help)]
    )
