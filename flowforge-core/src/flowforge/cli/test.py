"""``flowforge test``."""

from __future__ import annotations

from pathlib import Path

import click

from flowforge.cli.context import Context, with_context
from flowforge.cli.junit import JUnitSuite, prepare_junit, write_junit
from flowforge.cli.options import junit_option, project_argument, selection_options, store_failures_option, vars_option
from flowforge.cli.reports import annotate_checks, report_junit
from flowforge.cli.shield import shielded_output
from flowforge.cli.summary import data_quality_summary
from flowforge.errors import NothingSelectedError


@click.command(
    "test",
    help="Check the data that stands in the database. A check's tag alone selects its checks.\n\n"
    "Exit code 2 when a check of severity error fails, 1 when one could not run.",
)
@project_argument
@selection_options
@vars_option
@click.option("--allow-empty", is_flag=True, help="Exit with 0 when nothing is selected.")
@click.option(
    "--check",
    "checks",
    multiple=True,
    metavar="NAME",
    help="Of these only the checks with this name or type; * and ? are wildcards. Repeatable.",
)
@store_failures_option
@junit_option
@with_context
def command(
    context: Context,
    project: Path | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    state: Path | None,
    vars: tuple[str, ...],
    allow_empty: bool,
    checks: tuple[str, ...],
    junit: Path | None,
    store_failures: bool,
) -> int:
    """Run the selected checks; exit code 2 when one of severity error fails, 1 when one could not run."""
    from flowforge.cli.console import Console
    from flowforge.run.runner import RunOptions

    if junit is not None:
        prepare_junit(junit)
    with context.project(project, vars, state) as loaded:
        context.connect(loaded)
        if not loaded.manifest.checks:
            context.output.say("No checks are declared.")
            return _empty(junit)
        console = Console(context.output)
        options = RunOptions(handle_signals=True, store_failures=store_failures)
        try:
            with shielded_output():
                listener = console if _json(context) else None
                result = loaded.test(select, exclude, checks=checks, listener=listener, options=options)
        except NothingSelectedError as error:
            if not allow_empty:
                raise
            context.output.say(error.message)
            return _empty(junit)
    for note in result.notes:
        context.output.note(note)
    data_quality_summary(result, context.output)
    annotate_checks(result, context.output)
    if junit is not None:
        report_junit(result, junit, context.output)
    if result.error is not None:
        context.output.error(result.error)
    return result.exit_code


def _empty(junit: Path | None) -> int:
    """There is nothing to do, which a report says too."""
    if junit is not None:
        write_junit(junit, [JUnitSuite("checks", ())])
    return 0


def _json(context: Context) -> bool:
    return context.output.log_format == "json"
