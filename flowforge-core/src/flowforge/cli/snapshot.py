"""``flowforge snapshot``."""

from __future__ import annotations

import functools
from typing import Any

import click

from flowforge.cli.context import Context, with_context
from flowforge.cli.running import run_as_asked, steering_options
from flowforge.errors import UsageError

KEPT = 3


@click.group("snapshot", help="What can be done with snapshots, which keep the history of rows.")
def command() -> None:
    """Commands about snapshots."""


@click.command(
    "run",
    help="Bring the histories of snapshots up to date, and nothing else; `run` and `build` do it too.",
)
@steering_options
@click.option("--prune", is_flag=True, help="Then remove old versions from each history; see --keep-last.")
@click.option(
    "--keep-last",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"With --prune: keep so many of the newest versions of each key ({KEPT}); the current one always stays.",
)
@with_context
def run(context: Context, prune: bool, keep_last: int | None, **given: Any) -> int:
    """Run the snapshots of the selection, and prune their histories when asked to."""
    from flowforge.api.histories import run_snapshots

    if keep_last is not None and not prune:
        raise UsageError(
            "--keep-last means something only with --prune", code="FF6421", help="add --prune, or leave it out"
        )
    kept = (keep_last or KEPT) if prune else None
    return run_as_asked(
        context, "snapshot", lambda loaded: functools.partial(run_snapshots, loaded), keep_last=kept, **given
    )


command.add_command(run)
