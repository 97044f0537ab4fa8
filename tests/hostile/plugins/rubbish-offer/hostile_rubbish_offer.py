"""Offers things that are no offers."""

from __future__ import annotations

from flowforge import hookimpl


@hookimpl
def flowforge_seed_formats():
    return ["csv", 42]
