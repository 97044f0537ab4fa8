"""The future home of the PostgreSQL engine. Nothing is registered yet: this distribution offers FlowForge nothing to run."""

from __future__ import annotations

__version__ = "0.1.0"
