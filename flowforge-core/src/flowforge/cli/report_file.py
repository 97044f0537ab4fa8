"""Files that a command is asked to write: there as a whole or not at all. Knows nothing of what is in them."""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path

from flowforge.errors import UsageError


def prepare_report(path: Path, option: str) -> None:
    """Make sure that the file can be written later, and that no older one is taken for what comes.

    Parameters
    ----------
    option:
        The option that named it.

    Raises
    ------
    UsageError
        When it cannot.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(path.parent, os.W_OK):
            raise PermissionError(0, "no permission to write into its folder")
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, option, error) from error


def write_report(path: Path, option: str, text: str) -> None:
    """Write the file.

    Raises
    ------
    UsageError
        When it cannot be written.
    """
    new = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with new.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.replace(new, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        raise _unwritable(path, option, error) from error


def _unwritable(path: Path, option: str, error: OSError) -> UsageError:
    return UsageError(
        f"the report {str(path)!r} cannot be written: {error.strerror or error}",
        code="FF3046",
        help=f"name a file in a folder that you may write into: {option} reports/flowforge{'.xml' if option == '--junit' else '.json'}",
    )
