"""Lays out an error for a terminal: code, place, source frame, notes, next step. Pure text."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from flowforge.errors import FlowForgeError, Note, ProjectErrors, shown
from flowforge.values import Location

Style = Callable[[str, str], str]
"""Called with text and a role: ``error``, ``warning``, ``help``, ``dim``, ``bold``."""

_WIDTH = 160  # longer source lines are cut around the caret
_KEY_AND_VALUE = re.compile(r"\s*(?P<key>[\w.-]+)\s*:\s*(?P<value>(?<=\s).*|)")
_MASK = "***"
_LINES = 5  # of a message or of all notes together; engines and models may write pages


def plain(text: str, role: str) -> str:
    """No colours."""
    return text


def format_error(error: FlowForgeError, root: Path | None, style: Style = plain) -> str:
    """One error, or all of a :class:`ProjectErrors`, as lines; at most a dozen an error."""
    if isinstance(error, ProjectErrors):
        blocks = [format_error(one, root, style) for one in error.errors]
        return "\n\n".join([*blocks, style(f"{len(blocks)} errors", "error")])
    head = f"{style(f'error[{error.code}]', 'error')}: {style(_cut(error.message), 'bold')}"
    return "\n".join([head, *_body(error.location, error.notes, error.help, root, style)])


def format_note(note: Note, root: Path | None, style: Style = plain) -> str:
    """A warning as lines."""
    head = f"{style(f'warning[{note.code}]', 'warning')}: {shown(note.message)}"
    return "\n".join([head, *_body(note.location, (), note.help, root, style, frame=False)])


def shown_path(path: str, root: Path | None) -> str:
    """A project file's path as the user would type it here."""
    if root is None:
        return path
    full = root / path
    try:
        relative = os.path.relpath(full)
    except ValueError:
        return str(full)
    return str(full) if relative.startswith("..") else relative


def shown_place(location: Location, root: Path | None) -> str:
    """Path, line and column in the form that editors and terminals make a link of."""
    line = f":{location.line}" if location.line is not None else ""
    column = f":{location.column}" if line and location.column is not None else ""
    return shown_path(location.path, root) + line + column


def source_frame(location: Location, root: Path | None, style: Style = plain) -> list[str]:
    """The source line with a caret under what is meant; nothing when it cannot be read."""
    return _frame(location, root, style)


def _body(
    location: Location | None,
    notes: tuple[str, ...],
    help: str | None,
    root: Path | None,
    style: Style,
    *,
    frame: bool = True,
) -> list[str]:
    lines = []
    if location is not None:
        lines.append(f"{style('  -->', 'dim')} {shown_place(location, root)}")
        if frame:
            lines += _frame(location, root, style)
    shown = "\n".join(f"  {style('note:', 'dim')} {note}" for note in notes)
    lines += [_cut(shown)] if shown else []
    if help:
        lines.append(f"  {style('help:', 'help')} {help}")
    return lines


def _hide_values(source: str, column: int, length: int) -> tuple[str, int, int] | None:
    """A line that may hold a password, without what stands behind its key; ``None`` when that cannot be told apart."""
    match = _KEY_AND_VALUE.fullmatch(source)
    if match is None:
        return None
    if not match["value"] or (match["key"] == "engine" and match["value"].isidentifier()):
        return source, column, length
    start = match.start("value")
    if column > start:
        column, length = start + 1, len(_MASK)
    return source[:start] + _MASK, column, length


def _cut(text: str) -> str:
    """*text* without its later lines, and without those that hold nothing."""
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(lines if len(lines) <= _LINES else [*lines[: _LINES - 1], "  ..."])


def _frame(location: Location, root: Path | None, style: Style) -> list[str]:
    """The source line with a caret under what is meant; nothing when it cannot be read."""
    if root is None or location.line is None:
        return []
    try:
        text = (root / location.path).read_text("utf-8-sig", errors="replace")
    except OSError:
        return []
    lines = text.split("\n")
    if not 0 < location.line <= len(lines):
        return []
    source = "".join(char if char.isprintable() else " " for char in lines[location.line - 1].rstrip("\r"))
    column, length = location.column or 1, location.length
    if (name := location.path.rsplit("/", 1)[-1]).startswith(".env"):
        return []
    if name == "profiles.yml":
        if (hidden := _hide_values(source, column, length)) is None:
            return []
        source, column, length = hidden
    start = max(0, min(column - 1, len(source)) - _WIDTH // 2) if len(source) > _WIDTH else 0
    gutter = f"{location.line:>4}"
    shown = [f"{style(f'{gutter} |', 'dim')} {source[start : start + _WIDTH]}"]
    if location.column is not None:
        width = max(1, min(length, len(source) - column + 1, _WIDTH - (column - 1 - start)))
        shown.append(f"{style('     |', 'dim')} {' ' * (column - 1 - start)}{style('^' * width, 'error')}")
    return shown
