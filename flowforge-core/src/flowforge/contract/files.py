"""Files that an engine reads in place of a table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from flowforge.frozen import frozen

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@frozen
class FileSource:
    """Files that a project declares as a source.

    Parameters
    ----------
    location:
        A file, a pattern (``*`` any text, ``?`` one character, ``[...]`` one of some, ``**`` folders of any depth), a
        folder (it ends with ``/`` and means all files of the format below it), or an address such as ``s3://...``.
        Forward slashes.
    base:
        The folder that a relative location counts from; taken as it is, never as a pattern. Empty for other locations,
        and where only the text matters.
    format:
        Such as ``parquet``, ``csv`` or ``json``; ``None`` leaves it to the name of the file.
    options:
        How the files are read: plain values by name.
    """

    location: str
    base: str = ""
    format: str | None = None
    options: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def remote(self) -> bool:
        """Whether the location is an address."""
        return _URL.match(self.location) is not None
