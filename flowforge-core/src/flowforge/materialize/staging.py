"""Names of staging relations."""

from __future__ import annotations

import hashlib
import re

STAGED = re.compile(r"ff__.*__[0-9a-f]{10}__(?P<run>[0-9a-z_]+)", re.DOTALL)
"""What a staging relation's name looks like in lower case."""

_OTHER = re.compile(r"[^0-9A-Za-z_]+")


def run_word(run_id: str) -> str:
    """*run_id* as it stands in names."""
    return _OTHER.sub("", run_id).lower()


def staging_name(name: str, run_id: str, *, limit: int | None) -> str:
    """A name for one run's staging relation of *name* that fits into *limit* bytes.

    All of them start with ``ff__``, so that leftovers of dead runs can be found. The name's readable part is cut to
    fit; a digest of the whole name keeps two long names apart.
    """
    digest = hashlib.blake2b(name.encode(), digest_size=5).hexdigest()
    tail = f"__{digest}__{run_word(run_id)}"
    room = (limit or 120) - len("ff__") - len(tail)
    return f"ff__{_OTHER.sub('_', name)[: max(room, 0)]}{tail}".lower()
