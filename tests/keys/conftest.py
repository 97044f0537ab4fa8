"""Makes the board of keys importable; it lives beside its tests because nobody else needs it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
