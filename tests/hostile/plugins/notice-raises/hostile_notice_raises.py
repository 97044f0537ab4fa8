"""Raises whenever it hears something."""

from __future__ import annotations

from flowforge import hookimpl


@hookimpl
def flowforge_run_started(event):
    raise RuntimeError("the lineage server is down")


@hookimpl
def flowforge_node_started(event):
    raise SystemExit(3)


@hookimpl
def flowforge_node_finished(event):
    raise RuntimeError("the lineage server is down")


@hookimpl
def flowforge_check_finished(event):
    raise RuntimeError("the lineage server is down")


@hookimpl
def flowforge_run_finished(event):
    raise RuntimeError("the lineage server is down")
