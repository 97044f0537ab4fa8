"""The ``flowforge`` program: the lazy group of commands, and the one place that turns errors into exit codes."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from flowforge import __version__
from flowforge.cli.options import Globals, Shell, global_options
from flowforge.cli.variables import spread

COMMANDS = {
    "init": "Make a new project that runs at once.",
    "build": "Load seeds, build models and check them, in the order of the DAG.",
    "run": "Build models.",
    "seed": "Load seed files into tables.",
    "status": "Say how models, seeds and sources stand: built, checked, fresh.",
    "retry": "Go on with the last run where it did not end well.",
    "test": "Check the data that stands in the database.",
    "utest": "Run unit tests of models.",
    "diff": "Show what differs from a git revision, and what is built from it.",
    "dag": "Print the DAG as a Mermaid flowchart.",
    "ls": "List models, seeds, sources and checks.",
    "show": "Show the first rows of a model or of a query.",
    "compile": "Print the SQL that a model becomes.",
    "validate": "Check the whole project without a connection.",
    "debug": "Say what is installed, and try the connection.",
    "plugins": "List plugins, or begin a new one.",
    "snapshot": "Bring the histories of snapshots up to date, and prune them.",
    "source": "Look how old the newest rows of sources are.",
    "quarantine": "Review rows that were put aside: list, show, release, hold, drop, log.",
    "schema": "Write JSON Schemas of the YAML files, for editors.",
    "clean": "Delete what FlowForge keeps in the project's folder.",
    "explain": "Explain an error code.",
}

SPELLINGS = frozenset({"source-freshness"})
"""Other names of commands, which are not listed."""


class ReaderLeft(Exception):
    """Nobody reads the answer any more, as after `| head`; click would make an exit code 1 of it."""


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command runs, and a plugin's only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from flowforge.plugins import command_names

        return [*COMMANDS, *(name for name in command_names() if name not in COMMANDS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS or cmd_name in SPELLINGS:
            command: click.Command = import_module(f"flowforge.cli.{cmd_name.replace('-', '_')}").command
            return command
        from flowforge.plugins import command_names, load_command

        return load_command(cmd_name) if cmd_name in command_names() else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            name, command, rest = super().resolve_command(ctx, args)
            return name, command, spread(command, rest)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            if not close or args[0] in close or args[0].startswith("-"):
                raise
            raise click.UsageError(f"No such command {args[0]!r}; did you mean {close[0]!r}?", ctx) from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderLeft from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from flowforge.plugins import command_names

        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
        extra = [name for name in command_names() if name not in COMMANDS]
        if extra:
            with formatter.section("Commands of plugins"):
                formatter.write_dl([(name, "") for name in extra])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", prog_name="flowforge", message="%(prog)s %(version)s")
@global_options
def cli(**given: Any) -> None:
    """Turn a folder of SQL and Python models into tested, documented tables.

    Start with `flowforge init my_project`, then `flowforge build my_project`.
    """
    click.get_current_context().ensure_object(Shell).globals = Globals(**given)


def main(args: Sequence[str] | None = None) -> None:
    """Run the program and end the process with its exit code."""
    _prepare_streams()
    code = run(args, alone=True)
    sys.stdout.flush()
    sys.stderr.flush()
    others = [
        thread
        for thread in threading.enumerate()
        if thread is not threading.main_thread() and thread.is_alive() and not thread.daemon
    ]
    if others or code in (130, 143):
        os._exit(code)  # a model left a thread behind, or still computes after a cancel: nobody waits for it
    sys.exit(code)


def _prepare_streams() -> None:
    """Every stream is there, and takes every character: what it has no bytes for is written as an escape."""
    if sys.stdin is None:  # in this order, so that each takes the descriptor that the caller closed
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - for the life of the process
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def run(args: Sequence[str] | None = None, *, alone: bool = False) -> int:
    """Run one command line and return its exit code; prints errors, never raises.

    Parameters
    ----------
    alone:
        The process ends with it.
    """
    shell = Shell(alone=alone)
    try:
        result = cli.main(
            args=None if args is None else list(args), prog_name="flowforge", standalone_mode=False, obj=shell
        )
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        return _usage(error)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    except ReaderLeft:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SystemExit as error:  # a plugin's command may end so
        return error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except Exception as error:  # noqa: BLE001 - the last door: everything becomes a message and an exit code
        return _report(error, shell)


def _report(error: Exception, shell: Shell) -> int:
    from flowforge.cli.output import Output, report_defect
    from flowforge.errors import INTERNAL, FlowForgeError, ProjectError

    output = shell.output or Output()
    if isinstance(error, OSError) and error.strerror:
        what = "the output" if error.filename is None else repr(os.fsdecode(error.filename))
        error = ProjectError(f"{what} cannot be read or written: {error.strerror}", code="FF1012")
    if isinstance(error, FlowForgeError):
        output.error(error)
        return error.exit_code
    report_defect(output, error)
    return INTERNAL


def _usage(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    click.echo(f"error: {error.format_message()}", err=True)
    if context is not None:
        click.echo(f"help: {context.command_path} --help", err=True)
    return 64


if __name__ == "__main__":
    main()
