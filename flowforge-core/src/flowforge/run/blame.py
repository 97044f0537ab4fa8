"""Which line of a project's own Python code an exception comes from, and what it says."""

from __future__ import annotations

import traceback
from pathlib import Path

_LONGEST = 1000


def project_frames(root: Path, error: BaseException) -> list[tuple[str, int, str]]:
    """Path, line and function of the frames in the project's files, outermost first."""
    frames = []
    for frame in traceback.extract_tb(error.__traceback__):
        try:
            path = Path(frame.filename).relative_to(root).as_posix()
        except ValueError:
            continue
        frames.append((path, frame.lineno or 1, frame.name))
    return frames


def exception_text(error: BaseException, what: str) -> str:
    """An exception in one text; *what* is the code that raised it, in words."""
    if isinstance(error, SystemExit):
        text = f"{what} called sys.exit({error.code!r})"
    elif isinstance(error, SyntaxError):
        text = f"{type(error).__name__}: {error.msg}"
    else:
        said = _text(error)
        text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."


def called_from(frames: list[tuple[str, int, str]]) -> list[str]:
    """Notes about the frames around the innermost one."""
    return [f"called from {path}:{line} in {name}" for path, line, name in frames[:-1]][-3:]


def _text(error: BaseException) -> str:
    try:
        return str(error).strip()
    except Exception:  # noqa: BLE001 - the project's own class may do anything here
        return "(it has no text: its __str__ raises)"
