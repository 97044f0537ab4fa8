"""What ``run``, ``seed`` and ``build`` have in common, and what ``retry`` shares with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from flowforge.cli.console import Console
from flowforge.cli.context import Context, with_context
from flowforge.cli.options import (
    changed_since_option,
    project_argument,
    rebuild_options,
    report_options,
    run_options,
    selection_options,
    store_failures_option,
    unit_test_option,
    vars_option,
    window_options,
)
from flowforge.cli.plan import print_plan
from flowforge.cli.reports import Reports, annotate_checks
from flowforge.cli.shield import shielded_output
from flowforge.cli.steering import named_time, project_or_selector, run_options_of, selection_of
from flowforge.cli.summary import report
from flowforge.errors import NothingSelectedError

if TYPE_CHECKING:
    from flowforge.api import Project
    from flowforge.events import Event
    from flowforge.run.result import RunResult

F = TypeVar("F", bound=Callable[..., Any])


def running_command(name: str, help: str) -> click.Command:
    """The command that calls the method *name* of a project."""

    named_windows = window_options if name in ("run", "build") else _unchanged
    tested = unit_test_option if name == "build" else _unchanged
    storing = store_failures_option if name == "build" else _unchanged

    @click.command(name, help=help)
    @steering_options
    @named_windows
    @report_options
    @tested
    @storing
    @with_context
    def command(context: Context, **given: Any) -> int:
        return run_as_asked(context, name, lambda loaded: getattr(loaded, name), **given)

    return command


def _unchanged(function: F) -> F:
    return function


def steering_options(function: F) -> F:
    """Add the argument and the options that :func:`run_as_asked` takes."""
    for add in (rebuild_options, run_options, vars_option, changed_since_option, selection_options, project_argument):
        function = add(function)
    return function


def run_as_asked(
    context: Context,
    name: str,
    step_of: Callable[[Project], Callable[..., RunResult]],
    *,
    project: Path | None,
    state: Path | None,
    vars: tuple[str, ...],
    allow_empty: bool,
    dry_run: bool,
    keep_last: int | None = None,
    junit: Path | None = None,
    results: Path | None = None,
    no_unit_tests: bool = False,
    **steering: Any,
) -> int:
    """Run, or say what a run would do; returns the exit code.

    Parameters
    ----------
    name:
        What is run, as ``Project.plan`` calls it.
    step_of:
        The method of a project that runs it.
    keep_last, no_unit_tests:
        As in the options of a run.
    junit, results:
        Files for reports.
    """
    project, rebuild = project_or_selector(project, steering["rebuild"])
    chosen = selection_of({**steering, "rebuild": rebuild})
    select, exclude, changed_since = chosen["select"], chosen["exclude"], chosen["changed_since"]
    options = attrs.evolve(
        run_options_of(steering),
        rebuild=chosen["rebuild"],
        keep_last=keep_last,
        store_failures=steering.get("store_failures", False),
        unit_tests=not no_unit_tests,
        **named_time(steering),
    )
    reports = Reports(junit, results)
    if not dry_run:
        reports.prepare()
    with context.project(project, vars, state) as loaded:
        context.connect(loaded)
        try:
            if dry_run:
                plan = loaded.plan(select, exclude, command=name, options=options, changed_since=changed_since)
                print_plan(plan, context.output)
                return 0
            step = step_of(loaded)
            return run_and_report(
                context,
                loaded,
                lambda listener: step(select, exclude, options=options, listener=listener, changed_since=changed_since),
                reports,
            )
        except NothingSelectedError as error:
            if not allow_empty:
                raise
            context.output.remark(error.message)
            return 0


def run_and_report(
    context: Context,
    project: Project,
    start: Callable[[Callable[[Event], None]], RunResult],
    reports: Reports = Reports(),
) -> int:
    """Show a run while it happens and what came of it; returns the exit code."""
    console = Console(context.output)
    with console.show(), shielded_output():
        result = start(console)
    for note in result.notes:
        context.output.note(note)
    report(result, context.output)
    annotate_checks(result, context.output)
    reports.write(result, project, context.output)
    for note in project.plugins.notes:
        context.output.note(note)
    return int(result.exit_code)
