"""What tells the bytes of a seed file from others. Opens the file, and knows nothing of what is in it."""

from __future__ import annotations

import hashlib
from pathlib import Path

_HASH_BYTES = 20
_READ_BYTES = 1024 * 1024


def content_hash(path: Path) -> str:
    """A digest of a file's bytes; the file is streamed.

    Raises
    ------
    OSError
        When it cannot be read.
    """
    digest = hashlib.blake2b(digest_size=_HASH_BYTES)
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()
