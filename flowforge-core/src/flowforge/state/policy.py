"""What a run may believe of earlier runs, and what it may tell later ones."""

from __future__ import annotations

import enum


class CacheMode(enum.Enum):
    """How a run uses what earlier runs noted."""

    OFF = "off"
    """Build everything, and note nothing that would let a later run skip it."""
    RW = "rw"
    """Skip what is up to date, and note what was built."""
    RO = "ro"
    """Skip what is up to date; what is built will be built again by the next run."""
    WO = "wo"
    """Build everything, and note it."""

    @property
    def reads(self) -> bool:
        """Whether nodes may be skipped."""
        return self in (CacheMode.RW, CacheMode.RO)

    @property
    def writes(self) -> bool:
        """Whether fingerprints are stored."""
        return self in (CacheMode.RW, CacheMode.WO)
