"""Options that several commands share, and how those before and after the command's name come together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

if TYPE_CHECKING:
    from flowforge.cli.output import Output

F = TypeVar("F", bound=Callable[..., Any])


class Globals(NamedTuple):  # no attrs class: `--version` and `--help` should not pay for importing attrs
    """Options that may stand before or after the command's name; ``None`` or 0 means: not given here."""

    project_dir: Path | None = None
    env: str | None = None
    engine: str | None = None
    verbose: int = 0
    quiet: int = 0
    color: str | None = None
    log_format: str | None = None
    sql_debug: bool = False

    def over(self, outer: Globals) -> Globals:
        """These options, with what they leave open taken from *outer*."""
        return Globals(
            project_dir=self.project_dir or outer.project_dir,
            env=self.env or outer.env,
            engine=self.engine or outer.engine,
            verbose=self.verbose or outer.verbose,
            quiet=self.quiet or outer.quiet,
            color=self.color or outer.color,
            log_format=self.log_format or outer.log_format,
            sql_debug=self.sql_debug or outer.sql_debug,
        )

    @property
    def verbosity(self) -> int:
        """-1 errors only, 0 concise, 1 progress, 2 everything."""
        return -1 if self.quiet else min(self.verbose, 2)


class Shell:
    """What one command line carries along: the options before the command's name, and the output that it made."""

    def __init__(self) -> None:
        self.globals = Globals()
        self.output: Output | None = None


_OPTIONS = (
    click.option(
        "-C",
        "--project-dir",
        type=click.Path(path_type=Path),
        envvar=["FLOWFORGE_PROJECT_DIR", "FF_PROJECT_DIR"],
        show_envvar=True,
        help="The project's folder; else the nearest folder above with a project.yml.",
    ),
    click.option(
        "--env",
        envvar=["FLOWFORGE_ENV", "FF_ENV"],
        show_envvar=True,
        metavar="NAME",
        help="The profile to use (dev).",
    ),
    click.option(
        "--engine",
        envvar=["FLOWFORGE_ENGINE"],
        show_envvar=True,
        metavar="NAME",
        help="Use this engine instead of the profile's.",
    ),
    click.option(
        "-v",
        "--verbose",
        count=True,
        envvar=["FLOWFORGE_VERBOSE"],
        show_envvar=True,
        help="Say more; -vv shows every statement.",
    ),
    click.option("-q", "--quiet", count=True, envvar=["FLOWFORGE_QUIET"], show_envvar=True, help="Only errors."),
    click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        envvar=["FLOWFORGE_COLOR"],
        show_envvar=True,
        help="Colours on the terminal.",
    ),
    click.option(
        "--log-format",
        type=click.Choice(["auto", "text", "json", "github"]),
        envvar=["FLOWFORGE_LOG_FORMAT"],
        show_envvar=True,
        help="How progress and errors are written.",
    ),
    click.option(
        "--sql-debug", is_flag=True, envvar=["FLOWFORGE_SQL_DEBUG"], show_envvar=True, help="Show every statement."
    ),
)


def global_options(function: F) -> F:
    """Add the options of :class:`Globals`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def project_argument(function: F) -> F:
    """Add the optional argument PROJECT."""
    return click.argument("project", required=False, type=click.Path(path_type=Path))(function)


def vars_option(function: F) -> F:
    """Add ``--vars``."""
    return click.option(
        "--vars",
        "--var",
        "vars",
        multiple=True,
        metavar="KEY=VALUE",
        help="Set a variable; repeatable. The value is read as YAML.",
    )(function)


def selection_options(function: F) -> F:
    """Add ``--select`` and ``--exclude``."""
    function = click.option(
        "--exclude", multiple=True, metavar="SELECTOR", help="Leave these out; same grammar as --select."
    )(function)
    return click.option(
        "-s",
        "--select",
        multiple=True,
        metavar="SELECTOR",
        help="Names, globs, tag:, path:, source: ...; +x and x+ take ancestors and descendants along.",
    )(function)


def run_options(function: F) -> F:
    """Add what steers a run."""
    options = (
        click.option(
            "-j",
            "--jobs",
            metavar="N",
            envvar=["FLOWFORGE_JOBS"],
            show_envvar=True,
            help="How many nodes run at once: a number, or auto.",
        ),
        click.option(
            "--keep-going",
            is_flag=True,
            envvar=["FLOWFORGE_KEEP_GOING"],
            show_envvar=True,
            help="After a failure go on with all that does not depend on it.",
        ),
        click.option(
            "-x",
            "--fail-fast",
            is_flag=True,
            envvar=["FLOWFORGE_FAIL_FAST"],
            show_envvar=True,
            help="After a failure cancel what runs.",
        ),
        click.option(
            "--timeout",
            envvar=["FLOWFORGE_TIMEOUT"],
            show_envvar=True,
            type=click.FloatRange(min=0, min_open=True),
            metavar="SECONDS",
            help="Limit for one statement.",
        ),
        click.option(
            "--lock-timeout",
            envvar=["FLOWFORGE_LOCK_TIMEOUT"],
            show_envvar=True,
            type=click.FloatRange(min=0),
            default=300.0,
            show_default=True,
            metavar="SECONDS",
            help="How long to wait for another run.",
        ),
        click.option("--allow-empty", is_flag=True, help="Exit with 0 when nothing is selected."),
    )
    for option in reversed(options):
        function = option(function)
    return function
