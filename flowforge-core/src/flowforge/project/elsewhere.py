"""What to say to those who type a name of another tool; the names are data, read when somebody does."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from importlib import resources


def replacement(kind: str, name: str) -> str | None:
    """What to write in the place of *name*; ``None`` when nobody knows.

    Parameters
    ----------
    kind:
        ``names``, ``parts`` (what stands behind a dot), ``filters`` or ``tags``.
    """
    return _table().get(kind, {}).get(name)


@functools.cache
def _table() -> Mapping[str, Mapping[str, str]]:
    text = resources.files("flowforge.project").joinpath("elsewhere.toml").read_text("utf-8")
    return tomllib.loads(text)
