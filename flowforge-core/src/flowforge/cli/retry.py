"""``flowforge retry``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowforge.cli.context import Context, with_context
from flowforge.cli.options import project_argument, run_options, vars_option
from flowforge.cli.plan import print_plan
from flowforge.cli.running import run_and_report
from flowforge.cli.steering import run_options_of
from flowforge.cli.variables import parse_vars
from flowforge.errors import UsageError

if TYPE_CHECKING:
    from flowforge.api import Project


@click.command(
    "retry",
    help="Go on with the last run if it did not end well: build what failed, was skipped, cancelled or never ended, "
    "with the options that it had. Options given here outweigh them.",
)
@project_argument
@vars_option
@run_options
@with_context
def command(context: Context, project: Path | None, vars: tuple[str, ...], dry_run: bool, **steering: Any) -> int:
    """Run what is left."""
    with context.project(project, vars) as loaded:
        context.connect(loaded)
        found = loaded.last_failure()
        if found is None:
            context.output.remark(_nothing(loaded))
            return 0
        if not found.names:
            for note in found.notes:
                context.output.note(note)
            context.output.remark(
                f"nothing to retry: no node that the {found.command} {found.run_id} left undone is left"
            )
            return 0
        given = parse_vars(vars)
        missing = [name for name in found.withheld if name not in given]
        if missing:
            raise UsageError(
                f"the run was given variables whose values were not kept: {', '.join(missing)}",
                help=f"give them again: --vars {missing[0]}=...",
            )
        for note in found.notes:
            context.output.note(note)
        options = run_options_of(steering, found.options)
        count = len(found.names)
        nodes = "1 node" if count == 1 else f"{count} nodes"
        context.output.remark(f"retrying {nodes} of the {found.command} {found.run_id}")
        engine = context.given.engine or found.engine
        with loaded.reloaded(engine=engine, vars={**found.vars, **given}) as again:
            if dry_run:
                print_plan(again.plan_retry(found, options=options), context.output)
                return 0
            return run_and_report(
                context, again, lambda listener: again.retry(found, options=options, listener=listener)
            )


def _nothing(project: Project) -> str:
    from flowforge.api.history import last_run

    record = last_run(project).record
    if record is None:
        return f"nothing to retry: no run under the profile {project.profile.name!r} is known here"
    return f"nothing to retry: the last {record.command}, {record.run_id}, ended well"
