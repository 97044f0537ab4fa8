"""What was parsed of the project's files, kept for the next time in ``.flowforge/parsed.jsonl``.

A record belongs to the bytes of one file, and to the FlowForge, Python and parsers that made it; nothing else may be in
it. So every line of the file says something that is true for ever, whichever process wrote it, and one that does not fit
is one that is not there. A file is hashed unless size, times and number say that it cannot have changed since; one that
changed so shortly before it was read that a further change could have left the same times is always hashed, as git does.

Nothing here ever fails a command: a folder that cannot be written, a file that is damaged or foreign mean that everything
is parsed. One thread.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flowforge.config.kept_lines import (
    DIGEST_BYTES,
    FOLDER,
    as_json,
    digest_of,
    load_lines,
    standing_in,
    standing_of,
    write_lines,
)

FILE = "parsed.jsonl"
_TITLE = "parsed files"
_FORM = 1
_FINE, _COARSE = 50_000_000, 2_100_000_000
"""Nanoseconds within which two changes may leave one time, on file systems with fractions of seconds and without."""
_DEPENDS_ON = ("jinja2", "ruamel.yaml")
_ROOMS = ("config", "project", "checks", "seeds")

_log = logging.getLogger("flowforge.config.parsed")

Signature = list[int]
"""Size, times of change of the content and of the entry in nanoseconds, and number of a file."""


class Parsed:
    """What is known of files, by what they were read for and their path. Use :meth:`open`; :meth:`save` at the end.

    *used* becomes true as soon as a record was handed out. *shared* is for values that many records mean, by their text.
    """

    def __init__(self, root: Path, file: Path | None, body: bytes, entries: dict[str, list[Any]]) -> None:
        self.used = False
        self.shared: dict[str, Any] = {}
        self._root = str(root)
        self._file = file
        self._body = body
        self._entries = entries
        self._begun = _now()
        self._fresh: dict[str, tuple[Signature, str, str]] = {}
        self._seen: set[str] = set()
        self._read: dict[str, tuple[Signature, bytes]] = {}

    @classmethod
    def open(cls, root: Path) -> Parsed:
        """What earlier processes kept for the project in *root*."""
        file = root / FOLDER / FILE
        try:
            body, entries = load_lines(file, _TITLE, _makers())
        except FileNotFoundError:
            body, entries = b"", {}
        except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
            _log.debug("%s is not used: %s", FILE, error)
            body, entries = b"", {}
        return cls(root, file, body, entries)

    @classmethod
    def nothing(cls, root: Path) -> Parsed:
        """Nothing is known, and nothing will be kept."""
        return cls(root, None, b"", {})

    def afresh(self) -> Parsed:
        """The same file as if nothing were known, to parse everything once more."""
        return type(self)(Path(self._root), self._file, b"", {})

    def record(self, purpose: str, path: str) -> Any:
        """What :meth:`keep` was given for the same content; ``None`` when there is none. Not to be changed.

        Parameters
        ----------
        purpose:
            What the file is read for.
        path:
            Relative to the project.
        """
        if self._file is None:
            return None
        name = f"{purpose}:{path}"
        self._seen.add(name)
        entry = self._entries.get(name)
        if entry is None:
            return None
        try:
            found = os.stat(f"{self._root}/{path}")
            if entry[1] != _signature(found):
                data = self.content(path)
                if _digest(data) != entry[2]:
                    return None
                self._fresh[name] = (self._read.pop(path)[0], entry[2], as_json(entry[3]))
        except OSError:
            return None
        self.used = True
        return entry[3]

    def content(self, path: str) -> bytes:
        """The bytes of a file, which :meth:`keep` takes its record to be made from; raises ``OSError``."""
        if path in self._read:
            return self._read[path][1]
        with open(f"{self._root}/{path}", "rb", buffering=0) as file:
            found = os.fstat(file.fileno())
            data = file.readall()
        if self._file is not None:
            self._read[path] = (_signature(found), data)
        return data

    def keep(self, purpose: str, path: str, record: Any) -> None:
        """Keep what was made from the bytes that :meth:`content` gave.

        Parameters
        ----------
        record:
            Lists, mappings with texts as keys, texts, numbers, booleans and ``None``: what JSON gives back as it was.
        """
        if path not in self._read:
            return
        signature, data = self._read.pop(path)
        try:
            self._fresh[f"{purpose}:{path}"] = (signature, _digest(data), as_json(record))
        except (ValueError, TypeError, RecursionError) as error:
            _log.debug("what was parsed of %s is not kept: %s", path, error)

    def save(self, *, complete: bool) -> None:
        """Write what is new beside what was there before.

        Parameters
        ----------
        complete:
            All files of the project were asked for, so that the others are gone.
        """
        forgotten = complete and not self._entries.keys() <= self._seen
        if self._file is None or not (self._fresh or forgotten):
            return
        try:
            self._write(self._file, complete)
        except (OSError, ValueError) as error:
            _log.debug("%s is not written: %s", FILE, error)

    def _write(self, file: Path, complete: bool) -> None:
        def lines(found: os.stat_result) -> Iterator[bytes]:
            # The clock of the file system may be behind ours, and the times of files are told by it.
            return self._lines(complete, self._begun + min(0, _signature(found)[1] - _now()))

        write_lines(file, _TITLE, _makers(), lines)

    def _lines(self, complete: bool, quiet: int) -> Iterator[bytes]:
        for name, line in zip(self._entries, self._body.split(b"\n"), strict=False):
            if name not in self._fresh and (name in self._seen or not complete):
                yield line
        for name, (signature, digest, record) in self._fresh.items():
            width = _FINE if signature[1] % 1_000_000_000 else _COARSE
            settled = max(signature[1], signature[2]) < quiet - width
            entry = f'[{as_json(name)},{signature if settled else "null"},"{digest}",{record}]'
            yield entry.encode("utf-8", "surrogatepass")


def _signature(found: os.stat_result) -> Signature:
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _now() -> int:
    return time.time_ns()


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()


@functools.cache
def _makers() -> bytes:
    """A digest of everything that a record depends on beside the bytes of its file: this program and its parsers."""
    here = Path(__file__).parent.parent
    rooms = [standing_in(here / room, ".py") for room in _ROOMS]
    return digest_of([_FORM, sys.version, here.as_posix(), *rooms, standing_of(*_DEPENDS_ON)])
