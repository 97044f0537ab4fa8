"""Adds a command that cannot be imported."""

from __future__ import annotations

raise ImportError("half installed")
