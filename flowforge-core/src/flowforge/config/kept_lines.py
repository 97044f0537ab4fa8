"""Files in ``.flowforge/`` that keep what was dear to find out: lines of JSON below a head with their digest.

Each line is a list that begins with its name, and has to be true for ever, whichever process wrote it: what it depends on
is part of it, or of the *makers* whose digest is the key of the head. So a file that is cut, changed, foreign, or of
another version is one that is not there, and one that is there may be believed. It is replaced as a whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flowforge.config.own_folder import make_own_folder

FOLDER = ".flowforge"
DIGEST_BYTES = 16
_LEFT_OVER = 600.0
"""Seconds after which a file that another process was writing counts as left behind."""

as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def load_lines(file: Path, title: str, makers: bytes) -> tuple[bytes, dict[str, list[Any]]]:
    """All lines as they stand in *file*, and what they say by name, in the same order.

    Parameters
    ----------
    title:
        What kind of file it is.
    makers:
        A digest of everything that its lines depend on beside what they say themselves; at most 64 bytes.

    Raises
    ------
    OSError, ValueError, TypeError, LookupError, RecursionError
        When anything is wrong with it.
    """
    head, _, body = file.read_bytes().partition(b"\n")
    if head != _head(body, title, makers):
        raise ValueError("it is damaged, or of another version")
    entries = json.loads(b"[" + body.replace(b"\n", b",") + b"]")
    return body, {entry[0]: entry for entry in entries}


def write_lines(file: Path, title: str, makers: bytes, lines: Callable[[os.stat_result], Iterable[bytes]]) -> None:
    """Replace *file*; raises ``OSError``, and the old file stays.

    Parameters
    ----------
    lines:
        Called with what the file system says of the new file, which tells its clock.
    """
    make_own_folder(file.parent)
    mine = file.with_name(f"{file.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with open(os.open(mine, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as out:
            body = b"\n".join(lines(os.fstat(out.fileno())))
            out.write(_head(body, title, makers) + b"\n" + body)
        os.replace(mine, file)
    except BaseException:
        with contextlib.suppress(OSError):
            mine.unlink()
        raise
    _sweep(file)


def standing(path: str) -> list[Any]:
    """A file's name, size and time: enough to tell one installed version from another."""
    try:
        found = os.stat(path)
    except OSError:
        return [path]
    return [path, found.st_size, found.st_mtime_ns]


def standing_in(folder: str | Path, ending: str = "") -> list[list[Any]]:
    """:func:`standing` of each file in *folder* whose name has this ending."""
    with os.scandir(folder) as found:
        return sorted(standing(entry.path) for entry in found if entry.name.endswith(ending) and entry.is_file())


def standing_of(*modules: str) -> list[list[Any]]:
    """:func:`standing` of the files of modules, which are not imported for that."""
    told = []
    for name in modules:
        spec = importlib.util.find_spec(name)
        told.append(standing(spec.origin) if spec is not None and spec.origin else [name])
    return told


def digest_of(told: Any) -> bytes:
    """A digest of nested lists, texts and numbers."""
    return hashlib.blake2b(as_json(told).encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


def _head(body: bytes, title: str, makers: bytes) -> bytes:
    digest = hashlib.blake2b(body, digest_size=DIGEST_BYTES, key=makers).hexdigest()
    return json.dumps({"flowforge": title, "form": 1, "digest": digest}).encode()


def _sweep(file: Path) -> None:
    """Remove what killed processes left behind while they wrote."""
    with contextlib.suppress(OSError), os.scandir(file.parent) as found:
        for entry in found:
            if entry.name.startswith(f"{file.name}.") and time.time() - entry.stat().st_mtime > _LEFT_OVER:
                os.unlink(entry.path)
