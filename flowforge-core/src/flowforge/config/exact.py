"""Which values JSON gives back as they are."""

from __future__ import annotations

from typing import Any


class Inexact(Exception):
    """A value that JSON would not give back as it is."""


def exact(value: Any) -> Any:
    """*value*, if JSON gives it back as it is; else raises :class:`Inexact`."""
    kind = type(value)
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise Inexact
            exact(item)
    elif kind is list:
        for item in value:
            exact(item)
    elif value is not None and kind not in (str, int, float, bool):
        raise Inexact
    return value
