"""Options that several commands share, and how those before and after the command's name come together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from flowforge.cli.variables import FLAGS, VarsOption

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
    """What one command line carries along: the options before the command's name, and the output that it made.

    Parameters
    ----------
    alone:
        The process ends with this command.
    """

    def __init__(self, *, alone: bool = False) -> None:
        self.alone = alone
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
        *FLAGS,
        "vars",
        cls=VarsOption,
        multiple=True,
        metavar="NAME=VALUE...",
        help="Set variables: one or more NAME=VALUE, or a mapping such as '{a: 1}'; repeatable. Values are read as YAML.",
    )(function)


def selection_options(function: F) -> F:
    """Add ``--select``, ``--exclude`` and ``--state``."""
    return _with(
        function,
        click.option(
            "-s",
            "--select",
            multiple=True,
            metavar="SELECTOR",
            help="Names, globs, tag:, path:, source:, state:, result: ...; +x and x+ take ancestors and descendants along.",
        ),
        click.option("--exclude", multiple=True, metavar="SELECTOR", help="Leave these out; same grammar as --select."),
        click.option(
            "--state",
            type=click.Path(path_type=Path),
            metavar="PATH",
            envvar=["FLOWFORGE_STATE"],
            show_envvar=True,
            help="What the selectors state:... compare with: a file of `compile --manifest`, or a folder with one that "
            "is called manifest.json; else the last builds.",
        ),
    )


def changed_since_option(function: F) -> F:
    """Add ``--changed-since``."""
    return _with(
        function,
        click.option(
            "--changed-since",
            metavar="REF",
            envvar=["FLOWFORGE_CHANGED_SINCE"],
            show_envvar=True,
            help="Of the selection only what differs from this git revision, and what is built from that.",
        ),
    )


def run_options(function: F) -> F:
    """Add what steers a run."""
    return _with(
        function,
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
        click.option(
            "--cache",
            type=click.Choice(["off", "rw", "ro", "wo"]),
            default="rw",
            show_default=True,
            envvar=["FLOWFORGE_CACHE"],
            show_envvar=True,
            help="rw: skip what is up to date. ro: skip, but let later runs build again what this one builds. "
            "wo: build everything, and let later runs skip it. off: neither.",
        ),
        click.option(
            "--no-cache",
            is_flag=True,
            envvar=["FLOWFORGE_NO_CACHE"],
            show_envvar=True,
            help="The same as --cache off.",
        ),
        click.option(
            "--full-refresh",
            is_flag=True,
            envvar=["FLOWFORGE_FULL_REFRESH"],
            show_envvar=True,
            help="Build everything that is selected, from nothing. Snapshots keep their history all the same.",
        ),
        click.option(
            "--assume-unchanged",
            is_flag=True,
            envvar=["FLOWFORGE_ASSUME_UNCHANGED"],
            show_envvar=True,
            help="Take for granted that no source has changed, also where nobody can tell.",
        ),
        click.option(
            "--dry-run",
            is_flag=True,
            envvar=["FLOWFORGE_DRY_RUN"],
            show_envvar=True,
            help="Only say what would be done and why; -v shows what changed, -q leaves out what is up to date. "
            "Writes nothing but what it parsed.",
        ),
    )


def report_options(function: F) -> F:
    """Add ``--junit`` and ``--results``."""
    return _with(
        function,
        click.option(
            "--junit",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            envvar=["FLOWFORGE_JUNIT"],
            show_envvar=True,
            help="Write the results into this file as JUnit XML, for CI systems.",
        ),
        click.option(
            "--results",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            envvar=["FLOWFORGE_RESULTS"],
            show_envvar=True,
            help="Write the results into this file as JSON, for other programs.",
        ),
    )


def store_failures_option(function: F) -> F:
    """Add ``--store-failures``."""
    return click.option(
        "--store-failures",
        is_flag=True,
        help="Store the failing rows of checks in tables called _ff_failures_<model>_<check>, in place of those before.",
    )(function)


def window_options(function: F) -> F:
    """Add what names windows of time."""
    return _with(
        function,
        click.option(
            "--event-time-start",
            metavar="TIME",
            envvar=["FLOWFORGE_EVENT_TIME_START"],
            show_envvar=True,
            help="Of microbatch models, build exactly the windows from this time on: a date or timestamp in UTC.",
        ),
        click.option(
            "--event-time-end",
            metavar="TIME",
            envvar=["FLOWFORGE_EVENT_TIME_END"],
            show_envvar=True,
            help="And none from this time on. A window that has a part in the named time is built as a whole.",
        ),
    )


def unit_test_option(function: F) -> F:
    """Add ``--no-unit-tests``."""
    return _with(
        function,
        click.option(
            "--no-unit-tests",
            is_flag=True,
            envvar=["FLOWFORGE_NO_UNIT_TESTS"],
            show_envvar=True,
            help="Build models without running their unit tests first.",
        ),
    )


def rebuild_options(function: F) -> F:
    """Add what forces nodes, and ``--allow-empty``."""
    return _with(
        function,
        click.option(
            "--rebuild",
            is_flag=False,
            flag_value="*",
            multiple=True,
            metavar="[SELECTOR]",
            envvar=["FLOWFORGE_REBUILD"],
            show_envvar=True,
            help="Build these of the selected nodes even if they are up to date; without a value all of them.",
        ),
        click.option(
            "-R",
            "--rebuild-only",
            multiple=True,
            metavar="NAME",
            envvar=["FLOWFORGE_REBUILD_ONLY"],
            show_envvar=True,
            help="Select exactly these, and build them even if they are up to date.",
        ),
        click.option("--allow-empty", is_flag=True, help="Exit with 0 when nothing is selected."),
    )


def _with(function: F, *options: Callable[[F], F]) -> F:
    for option in reversed(options):
        function = option(function)
    return function
