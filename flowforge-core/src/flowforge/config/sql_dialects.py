"""The names of SQL dialects that the translator knows.

They are read from the names of its files, because importing it takes longer than loading a project.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import Any

from flowforge.config.flaws import nearest

_NO_DIALECTS = frozenset({"__init__", "dialect"})


@functools.cache
def dialect_names() -> tuple[str, ...]:
    """The dialects of the installed translator, sorted. Any thread."""
    found = importlib.util.find_spec("sqlglot")
    folders = found.submodule_search_locations if found is not None else None
    files = (file for folder in folders or () for file in Path(folder, "dialects").glob("*.py"))
    return tuple(sorted({file.stem for file in files} - _NO_DIALECTS))


def is_dialect(instance: object, attribute: Any, value: str | None) -> None:
    """A validator of attrs: the name of a SQL dialect, or nothing.

    Raises
    ------
    ValueError
        With a suggestion.
    """
    if value is None or value in dialect_names():
        return
    near = nearest(value.lower(), dialect_names())
    raise ValueError(f"should be a SQL dialect, and '{value}' is none" + (f"; {near}" if near else _listed()))


def _listed() -> str:
    return f"; known are {', '.join(dialect_names())}"
