"""Implements a hook that does not exist."""

from __future__ import annotations

from flowforge import hookimpl


@hookimpl
def flowforge_before_everything(event):
    raise AssertionError("never called")
