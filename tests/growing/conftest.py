"""A database of each engine; the reference that the tests compare with stands beside them."""

from __future__ import annotations

import sys
from pathlib import Path

from flowforge_plain.fixtures import growing_place

__all__ = ["growing_place"]

sys.path.insert(0, str(Path(__file__).parent))
