"""A database of each engine; the reference that the tests compare with stands beside them."""

from __future__ import annotations

import sys
from pathlib import Path

from flowforge_plain.fixtures import place

__all__ = ["place"]

sys.path.insert(0, str(Path(__file__).parent))
