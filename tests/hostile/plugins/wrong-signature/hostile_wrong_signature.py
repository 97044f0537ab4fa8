"""Takes an argument that the hook does not have."""

from __future__ import annotations

from flowforge import hookimpl


@hookimpl
def flowforge_run_started(session):
    raise AssertionError("never called")
