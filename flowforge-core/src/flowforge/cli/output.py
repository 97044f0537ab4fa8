"""The only place that prints: answers go to stdout, everything else to stderr."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

import click

from flowforge.cli.diagnostics import format_error, format_note, shown_path
from flowforge.errors import FlowForgeError, Note, ProjectErrors
from flowforge.values import Location

_ROLES: Mapping[str, Mapping[str, Any]] = {
    "error": {"fg": "red", "bold": True},
    "warning": {"fg": "yellow", "bold": True},
    "good": {"fg": "green"},
    "help": {"fg": "cyan"},
    "dim": {"dim": True},
    "bold": {"bold": True},
}

_IN_ANNOTATION = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_PROPERTY = {**_IN_ANNOTATION, ":": "%3A", ",": "%2C"}


def _escaped(text: str, marks: Mapping[str, str]) -> str:
    """*text* in one line of GitHub's workflow commands; other line breaks than its own are shown."""
    return "".join(marks.get(char) or (char if char.isprintable() else repr(char)[1:-1]) for char in text)


def wants_color(choice: str | None, stream: TextIO) -> bool:
    """Whether to colour text on *stream*; NO_COLOR and FORCE_COLOR count when the flag leaves it open."""
    if choice in ("always", "never"):
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class Output:
    """Prints for one command.

    Parameters
    ----------
    verbosity:
        -1 only errors, 0 concise, 1 progress, 2 everything.
    log_format:
        ``text``, ``json`` (one object a line) or ``github`` (annotations); it concerns stderr.
    """

    def __init__(
        self, *, color: str | None = None, verbosity: int = 0, log_format: str = "text", root: Path | None = None
    ) -> None:
        self.stdout, self.stderr = sys.stdout, sys.stderr
        self.color_out = wants_color(color, self.stdout)
        self.color_err = wants_color(color, self.stderr)
        self.verbosity = verbosity
        self.log_format = log_format
        self.root = root
        self.redact: Callable[[str], str] = str
        self.above: Callable[[str], None] | None = None
        """Prints a text above what moves at the bottom of the terminal, while something does."""
        self.unicode = "utf" in (getattr(self.stderr, "encoding", None) or "").lower()

    def style(self, text: str, role: str) -> str:
        """*text* in the colours of *role* on stderr, when it has colours."""
        return click.style(text, **_ROLES[role]) if self.color_err else text

    def answer(self, text: str) -> None:
        """What the command was asked for, to stdout."""
        click.echo(self.redact(text), file=self.stdout, color=self.color_out)

    def say(self, text: str, *, level: int = 0) -> None:
        """Progress, to stderr, from verbosity *level* on."""
        if self.verbosity >= level and self.log_format != "json":
            self._tell(text, color=self.color_err)

    def remark(self, text: str) -> None:
        """What a command has to say once, to stderr; a record of its own where everything is a record."""
        if self.log_format == "json":
            self.record("message", {"message": text})
        else:
            self.say(text)

    def _tell(self, text: str, *, color: bool = False, newline: bool = True) -> None:
        """Write to stderr; when nobody can read it any more, the work goes on without."""
        if self.above is not None:
            self.above(self.redact(text))
            return
        try:
            click.echo(self.redact(text), file=self.stderr, color=color, nl=newline)
        except OSError:
            with contextlib.suppress(OSError, ValueError):  # ValueError: no file behind it
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.stderr.fileno())

    def record(self, kind: str, data: Mapping[str, Any]) -> None:
        """One JSON object on its own line, to stderr."""
        text = json.dumps({"version": 1, "event": kind, **data}, ensure_ascii=False, default=str)
        self._tell(text)

    def error(self, error: FlowForgeError) -> None:
        """An error, in the format that was asked for."""
        if self.log_format == "json":
            for one in error.errors if isinstance(error, ProjectErrors) else (error,):
                self.record("error", error_as_data(one))
            return
        self._tell(format_error(error, self.root, self.style), color=self.color_err)
        if self.log_format == "github":
            for one in error.errors if isinstance(error, ProjectErrors) else (error,):
                self.annotate("error", f"{one.code} {one.message}", one.location)
        if os.environ.get("FLOWFORGE_TRACE") == "1" or self.verbosity >= 2:
            self._trace(error)

    def note(self, note: Note) -> None:
        """A warning."""
        if self.log_format == "json":
            where = str(note.location) if note.location else None
            self.record("warning", {"code": note.code, "message": note.message, "location": where, "help": note.help})
        elif self.verbosity >= 0:
            self._tell(format_note(note, self.root, self.style), color=self.color_err)

    def annotate(self, kind: str, text: str, place: Location | None, *, title: str | None = None) -> None:
        """A remark that GitHub shows at a line of a file.

        Parameters
        ----------
        kind:
            ``error``, ``warning`` or ``notice``.
        """
        properties = {}
        if place is not None:
            properties["file"] = shown_path(place.path, self.root)
            if place.line is not None:
                properties["line"] = str(place.line)
            if place.column is not None:
                properties["col"] = str(place.column)
        if title is not None:
            properties["title"] = self.redact(title)
        written = ",".join(f"{key}={_escaped(value, _IN_PROPERTY)}" for key, value in properties.items())
        head = f"::{kind} {written}" if written else f"::{kind}"
        click.echo(f"{head}::{_escaped(self.redact(text), _IN_ANNOTATION)}", file=self.stdout, color=False)

    def _trace(self, error: BaseException) -> None:
        for line in traceback.format_exception(error):
            self._tell(line, newline=False)


def error_as_data(error: FlowForgeError) -> Mapping[str, Any]:
    """An error as values that JSON knows."""
    place = error.location
    return {
        "code": error.code,
        "message": error.message,
        "path": place.path if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "help": error.help,
        "notes": list(error.notes),
    }


def report_defect(output: Output, error: Exception) -> None:
    """Print what is known of a defect of FlowForge itself, without a traceback unless it is asked for."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    text = f"error[FF9901]: a defect of FlowForge: {type(error).__name__}: {error}{where}"
    click.echo(output.redact(text), file=output.stderr, color=False)
    click.echo("  help: please report it with the output of FLOWFORGE_TRACE=1", file=output.stderr)
    if os.environ.get("FLOWFORGE_TRACE") == "1":
        for line in traceback.format_exception(error):
            click.echo(output.redact(line), file=output.stderr, nl=False)
