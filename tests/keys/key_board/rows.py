"""The rows of the board: what each key does, or how it is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import attrs
from key_board.inventory import FOLDER
from ruamel.yaml import YAML


@attrs.frozen(kw_only=True)
class Row:
    """What is tried for one spelling of a key, once with it and once without it.

    Parameters
    ----------
    files:
        On top of the empty project; ``KEY`` in them is where the setting stands.
    written, without:
        What stands there, and what stands there in the other project.
    do:
        What is done before somebody looks; see :class:`key_board.stage.Stage`.
    see:
        Where to look.
    gives, otherwise:
        What is seen with the key, and without it.
    refused:
        Code and place of the error, when the key is refused; *help* are words of its message or help.
    """

    key: str
    files: Mapping[str, str]
    written: str
    without: str = ""
    environ: Mapping[str, str] = attrs.field(factory=dict)
    otherwise_environ: Mapping[str, str] | None = None
    do: tuple[Any, ...] = ("build",)
    see: Mapping[str, Any] = attrs.field(factory=dict)
    gives: Any = None
    otherwise: Any = None
    refused: str | None = None
    help: str = ""

    def project(self, text: str) -> dict[str, str]:
        """The files, with *text* in the place of the key."""
        files = {"project.yml": "name: board\nversion: 1\n", "models/.keep": "", **self.files}
        files.setdefault("profiles.yml", "dev:\n  engine: duckdb\n  duckdb: {path: board.duckdb}\n")
        return {path: content.replace("KEY", text) for path, content in files.items()}


_SAID = {"with": "written"}


@cache
def rows() -> Mapping[str, Row]:
    """All rows by key.

    Raises
    ------
    ValueError
        When a key has two rows, or a row says something that rows do not have.
    """
    found: dict[str, Row] = {}
    for path in sorted((FOLDER / "rows").glob("*.yml")):
        for entry in YAML(typ="safe").load(path.read_text("utf-8")):
            for row in _entry(entry):
                if row.key in found:
                    raise ValueError(f"{path.name}: {row.key} has two rows")
                found[row.key] = row
    return found


def _entry(entry: dict[str, Any]) -> Iterator[Row]:
    words = {_SAID.get(name, name): value for name, value in entry.items() if name != "keys"}
    words["do"] = tuple(words.get("do", ("build",)))
    if ("refused" in words) == ("see" in words):
        raise ValueError(f"{entry['keys']}: a key acts, or it is refused")
    for key in entry["keys"].split():
        name = key.rsplit("/", 1)[-1]
        yield Row(**{**{said: _called(value, name) for said, value in words.items()}, "key": key})


def _called(value: Any, name: str) -> Any:
    """A part of a row that is about several keys, for the one called *name*."""
    if isinstance(value, str):
        return value.replace("NAME", name)
    if isinstance(value, dict):
        return {inner: _called(one, name) for inner, one in value.items()}
    return value
