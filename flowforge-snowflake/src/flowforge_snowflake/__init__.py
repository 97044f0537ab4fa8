"""Snowflake for FlowForge; see :mod:`flowforge_snowflake.plugin`."""

from __future__ import annotations

__version__ = "0.1.0"
