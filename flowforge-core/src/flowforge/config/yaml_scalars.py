"""The core schema of YAML 1.2: which unquoted words are numbers, booleans or nothing.

``no``, ``on``, ``1_000`` and dates are texts there, unlike in YAML 1.1.
"""

from __future__ import annotations

import math
import re
from typing import Any

SUSPECT = frozenset("~nNtTfF.+-0123456789")
"""First characters of plain scalars that may be something else than a text."""
CORE_TAG = "tag:yaml.org,2002:"

_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= {word: value for value in (True, False) for word in (str(value).lower(), str(value), str(value).upper())}
_WORDS |= {sign + word: float(sign + "inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")}
_WORDS |= dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan)
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def plain_scalar(text: str) -> Any:
    """The value of an unquoted scalar.

    Raises
    ------
    ValueError
        With a message for users: a number that cannot be kept exactly.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        try:
            return int(text)
        except ValueError:
            raise ValueError(f"a number of {len(text):,} digits is too long") from None
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isinf(number):
            raise ValueError(f"the number {text[:40]} is too large")
        return number
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    return text


def tagged_scalar(tag: str, text: str) -> Any:
    """The value of a scalar with one of the core schema's own tags.

    Raises
    ------
    ValueError
        With a message for users: another tag, or a text that is not what the tag says.
    """
    name = tag.removeprefix(CORE_TAG)
    if tag == "!" or name == "str":
        return text
    wanted = {"int": int, "float": float, "bool": bool, "null": type(None)}.get(name)
    if wanted is None or not tag.startswith(CORE_TAG):
        raise ValueError(unknown_tag(tag))
    value = plain_scalar(text)
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise ValueError(f"'{text[:40]}' is no {name}, as its tag says")
    return value


def unknown_tag(tag: str) -> str:
    """The message for a tag that is not plain data."""
    shown = "!!" + tag.removeprefix(CORE_TAG) if tag.startswith(CORE_TAG) else tag
    return f"the tag '{shown}' is not allowed: only plain data is read"
