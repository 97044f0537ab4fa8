"""Prints to stdout when it is imported."""

from __future__ import annotations

from flowforge import hookimpl

print("welcome to the printing plugin")


@hookimpl
def flowforge_run_finished(event):
    pass
