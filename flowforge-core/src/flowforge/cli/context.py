"""What every command does first: put its options together, open its output, load the project."""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from flowforge.cli.options import Globals, Shell, global_options
from flowforge.cli.output import Output
from flowforge.cli.variables import parse_vars
from flowforge.errors import Note, UsageError, shown
from flowforge.values import Location

if TYPE_CHECKING:
    from flowforge.api import Project

F = TypeVar("F", bound=Callable[..., Any])
_GLOBAL_NAMES = Globals._fields


class Context:
    """One running command: its options and its output.

    Parameters
    ----------
    alone:
        The process ends with it.
    """

    def __init__(self, given: Globals, output: Output, *, alone: bool = False) -> None:
        self.given = given
        self.output = output
        self._alone = alone

    @property
    def env(self) -> str:
        """Name of the profile."""
        return self.given.env or "dev"

    def root(self, project: Path | None = None) -> Path:
        """The project's folder: the argument, ``-C``, or the nearest folder above with a ``project.yml``."""
        from flowforge.config.project import find_project

        folder = project or self.given.project_dir
        if folder is None:
            folder = find_project(Path.cwd())
        elif not folder.is_dir():
            raise UsageError(
                f"there is no folder {str(folder)!r}",
                help=f"give the path of a project's folder; `-s {folder}` selects a model of that name"
                if project is not None and folder.name == str(folder)
                else "give the path of a project's folder",
            )
        self.output.root = folder.resolve()
        return self.output.root

    def project(self, project: Path | None = None, vars: Iterable[str] = (), state: Path | None = None) -> Project:
        """The loaded project; its warnings are printed. *state* is the file of ``--state``."""
        with _everything_stays() if self._alone else contextlib.nullcontext():
            from flowforge.api import Project
            from flowforge.config.secrets import secrets_of

            root = self.root(project)
            loaded = Project.load(root, env=self.env, engine=self.given.engine, vars=parse_vars(vars), state=state)
        self.output.redact = secrets_of(None, loaded.environ).redact
        for note in loaded.manifest.notes:
            self.output.note(note)
        return loaded

    def mask(self, project: Project) -> None:
        """Let the output mask the secrets of the project's profile from now on, and not only those of variables."""
        self.output.redact = project.redactor.redact

    def connect(self, project: Project) -> None:
        """Mask the secrets of the project's profile from now on; warn when it is not the profile that was meant."""
        self.mask(project)
        profile = project.profile
        if not profile.explicit:
            self.output.note(
                Note(
                    f"there is no profiles.yml, so {profile.engine.name} runs with its default settings",
                    "FF1317",
                    help="write a profiles.yml that says where the tables go; a database in memory is gone afterwards",
                )
            )
        if profile.explicit and self.given.env is not None and profile.name != self.given.env:
            self.output.note(
                Note(
                    f"there is no profile {self.given.env!r}, so {profile.name!r} is used",
                    "FF1316",
                    Location("profiles.yml"),
                    "correct --env, or write the profile",
                )
            )


@contextlib.contextmanager
def _everything_stays() -> Iterator[None]:
    """Let Python not look for garbage among what is made here: it is needed to the end of the process.

    A loaded project is hundreds of thousands of objects, and each full search goes through all of them.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def with_context(function: F) -> F:
    """Give a command the global options too, and hand it a :class:`Context` as its first argument."""

    @functools.wraps(function)
    def command(*args: Any, **kwargs: Any) -> Any:
        own = Globals(**{name: kwargs.pop(name) for name in _GLOBAL_NAMES})
        shell = click.get_current_context().ensure_object(Shell)
        given = own.over(shell.globals)
        shell.output = Output(color=given.color, verbosity=given.verbosity, log_format=_log_format(given.log_format))
        with logging_through(given, shell.output):
            return function(Context(given, shell.output, alone=shell.alone), *args, **kwargs)

    return global_options(command)  # type: ignore[return-value]


def _log_format(choice: str | None) -> str:
    if choice in (None, "auto"):
        return "github" if os.environ.get("GITHUB_ACTIONS") == "true" else "text"
    assert choice is not None
    return choice


class _Handler(logging.Handler):
    """Writes log lines through the output, so that secrets are masked there too.

    Warnings are for people: that a lock is waited for, that leftovers were cleaned. They have no logger in front.
    """

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        name, text = record.name.removeprefix("flowforge."), shown(record.getMessage(), lines=True)
        if self._output.log_format == "json":
            self._output.record("log", {"level": record.levelname.lower(), "logger": name, "message": text})
        elif record.levelno >= logging.WARNING:
            self._output.say(f"{self._output.style('note', 'warning')}: {text}", level=-1)
        else:
            self._output.say(f"[{name}] {text}", level=-1)


@contextlib.contextmanager
def logging_through(given: Globals, output: Output) -> Iterator[None]:
    """The levels of the flags, while a command runs; ``flowforge.sql`` is the channel for statements."""
    levels = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO, 2: logging.DEBUG}
    root, statements = logging.getLogger("flowforge"), logging.getLogger("flowforge.sql")
    before = root.handlers, root.propagate, root.level, statements.level
    sql = given.sql_debug or given.verbosity >= 2 or os.environ.get("FLOWFORGE_SQL_DEBUG", "") not in ("", "0")
    root.handlers, root.propagate = [_Handler(output)], False
    root.setLevel(levels[given.verbosity])
    statements.setLevel(logging.DEBUG if sql else logging.ERROR)
    try:
        yield
    finally:  # the command may have been called by a program that goes on
        root.handlers, root.propagate = before[:2]
        root.setLevel(before[2])
        statements.setLevel(before[3])
