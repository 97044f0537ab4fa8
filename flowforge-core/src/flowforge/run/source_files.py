"""What files say about themselves: whether they may have changed, and how old the newest is. Reads files, no project."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

HASHED_BYTES = 64 * 1024 * 1024
"""Files that are no larger together are read; of larger ones only the catalogue of the file system is asked."""
_UNSETTLED_NS = 2_000_000_000
_CHUNK = 1 << 20


def files_state(
    paths: Sequence[str], root: Path, *, hashed: int = HASHED_BYTES, clock: Callable[[], int] = time.time_ns
) -> str | None:
    """A token that changes whenever the rows of these files may have.

    Small ones are hashed, so that writing the same again changes nothing. Of large ones names, sizes, times
    and inodes count; ``None`` when one of them was written a moment ago: then its time may stay the same although it is
    written once more.

    Parameters
    ----------
    root:
        The project's folder, which counts too: a view keeps reading the files of the folder that it was made in.
    hashed:
        How many bytes are read at most.
    clock:
        Nanoseconds since 1970.

    Raises
    ------
    OSError
        When a file is gone or cannot be read.
    """
    looked = [(path, os.stat(path)) for path in sorted(set(paths))]
    small = sum(stat.st_size for _, stat in looked) <= hashed
    digest = hashlib.blake2b(os.fsencode(root), digest_size=16)
    now = clock()
    for path, stat in looked:
        if small:
            said = f"{path}\0{_content(path)}"
        else:
            if max(stat.st_mtime_ns, stat.st_ctime_ns) > now - _UNSETTLED_NS:
                return None
            said = f"{path}\0{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"
        digest.update(f"{len(said)} {said}".encode(errors="surrogateescape"))
    return f"files {digest.hexdigest()}"


def newest(paths: Sequence[str]) -> float | None:
    """When the newest of some files was written, in seconds since 1970; ``None``: there are none.

    Raises
    ------
    OSError
        When one is gone.
    """
    return max((os.stat(path).st_mtime for path in paths), default=None)


def _content(path: str) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
