"""``flowforge source-freshness``: another spelling of ``flowforge source freshness``."""

from __future__ import annotations

from flowforge.cli.source import freshness as command

__all__ = ["command"]
