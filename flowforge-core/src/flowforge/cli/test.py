"""``flowforge test``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowforge.cli.context import Context, with_context
from flowforge.cli.options import (
    project_argument,
    report_options,
    selection_options,
    store_failures_option,
    vars_option,
)
from flowforge.cli.reports import Reports, annotate_checks
from flowforge.cli.shield import shielded_output
from flowforge.cli.summary import data_quality_summary
from flowforge.errors import NothingSelectedError, UsageError

if TYPE_CHECKING:
    from flowforge.api import Project


@click.command(
    "test",
    help="Check the data that stands in the database. A check's tag alone selects its checks.\n\n"
    "Exit code 2 when a check of severity error fails, 1 when one could not run. With --history nothing is asked: "
    "what earlier runs found is printed.",
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
@report_options
@click.option("--history", is_flag=True, help="Print what the checks found in earlier runs; needs no connection.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="With --history: the last N results of a check (10)."
)
@click.option("--format", "shape", type=click.Choice(["text", "json"]), help="With --history: how it is printed.")
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
    results: Path | None,
    store_failures: bool,
    history: bool,
    limit: int | None,
    shape: str | None,
) -> int:
    """Run the selected checks; exit code 2 when one of severity error fails, 1 when one could not run."""
    from flowforge.cli.console import Console
    from flowforge.run.options import RunOptions

    _refuse_together(
        history,
        {"--store-failures": store_failures, "--junit": junit, "--results": results},
        {"--limit": limit, "--format": shape},
    )
    if history:
        return _print_history(context, project, vars, state, (select, exclude, checks), allow_empty, limit, shape)
    reports = Reports(junit, results)
    reports.prepare()
    with context.project(project, vars, state) as loaded:
        context.connect(loaded)
        if not loaded.manifest.checks:
            context.output.say("No checks are declared.")
            return _empty(reports, loaded, context)
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
            return _empty(reports, loaded, context)
    for note in result.notes:
        context.output.note(note)
    data_quality_summary(result, context.output)
    annotate_checks(result, context.output)
    reports.write(result, loaded, context.output)
    if result.error is not None:
        context.output.error(result.error)
    return result.exit_code


def _refuse_together(history: bool, running: Mapping[str, object], looking: Mapping[str, object]) -> None:
    """Options that would not act are errors.

    Raises
    ------
    UsageError
        When some are given.
    """
    given = [option for option, value in (running if history else looking).items() if value]
    if given and history:
        raise UsageError(f"{given[0]} says nothing with --history, which runs no check", help="leave one of them out")
    if given:
        raise UsageError(f"{given[0]} says nothing without --history", help="add --history, or leave it out")


def _print_history(
    context: Context,
    project: Path | None,
    vars: tuple[str, ...],
    state: Path | None,
    chosen: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]],
    allow_empty: bool,
    limit: int | None,
    shape: str | None,
) -> int:
    from flowforge.cli.check_history import print_histories

    with context.project(project, vars, state) as loaded:
        context.connect(loaded)
        if not loaded.manifest.checks:
            context.output.say("No checks are declared.")
            return 0
        select, exclude, checks = chosen
        try:
            found = loaded.check_history(select, exclude, checks=checks, limit=limit or 10)
        except NothingSelectedError as error:
            if not allow_empty:
                raise
            context.output.say(error.message)
            return 0
        print_histories(found, loaded.profile.name, loaded.engine.name, shape or "text", context.output)
    return 0


def _empty(reports: Reports, project: Project, context: Context) -> int:
    """There is nothing to do, which reports say too."""
    from flowforge.run.result import RunResult

    nothing = RunResult("", "test", dt.datetime.now(dt.UTC), 0.0, ())
    reports.write(nothing, project, context.output)
    return 0


def _json(context: Context) -> bool:
    return context.output.log_format == "json"
