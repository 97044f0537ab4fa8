"""What ``run``, ``seed`` and ``build`` have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from flowforge.cli.console import Console
from flowforge.cli.context import Context, with_context
from flowforge.cli.options import project_argument, run_options, selection_options, vars_option
from flowforge.cli.shield import shielded_output
from flowforge.cli.summary import report
from flowforge.errors import NothingSelectedError, UsageError


def running_command(name: str, help: str) -> click.Command:
    """The command that calls the method *name* of a project."""

    @click.command(name, help=help)
    @project_argument
    @selection_options
    @vars_option
    @run_options
    @with_context
    def command(
        context: Context,
        project: Path | None,
        select: tuple[str, ...],
        exclude: tuple[str, ...],
        vars: tuple[str, ...],
        allow_empty: bool,
        **steering: Any,
    ) -> int:
        from flowforge.run.runner import RunOptions
        from flowforge.run.scheduler import FailPolicy

        if steering["keep_going"] and steering["fail_fast"]:
            raise UsageError("--keep-going and --fail-fast contradict each other", help="give one of them")
        options = RunOptions(
            jobs=parse_jobs(steering["jobs"]),
            policy=FailPolicy.KEEP_GOING
            if steering["keep_going"]
            else FailPolicy.FAIL_FAST
            if steering["fail_fast"]
            else FailPolicy.FINISH_RUNNING,
            timeout=steering["timeout"],
            lock_timeout=steering["lock_timeout"],
            handle_signals=True,
        )
        with context.project(project, vars) as loaded:
            context.connect(loaded)
            console = Console(context.output)
            step: Callable[..., Any] = getattr(loaded, name)
            try:
                with console.show(), shielded_output():
                    result = step(select, exclude, options=options, listener=console)
            except NothingSelectedError as error:
                if not allow_empty:
                    raise
                context.output.say(error.message)
                return 0
            report(result, context.output)
            for note in loaded.plugins.notes:
                context.output.note(note)
        return int(result.exit_code)

    return command


def parse_jobs(text: str | None) -> int | None:
    """``--jobs``: a positive number, or ``auto``."""
    if text is None or text == "auto":
        return None
    if text.isdecimal() and len(text) <= 4 and 0 < int(text) <= 1024:
        return int(text)
    raise UsageError(f"--jobs wants a number from 1 to 1024, or auto, not {text!r}", help="for example --jobs 4")
