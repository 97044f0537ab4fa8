"""The environment that a project sees: the shell's variables over layers of ``.env`` files.

Nothing here changes the process's own environment, so that two projects can be open in one process.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from flowforge.config.files import read_bytes
from flowforge.errors import ConfigFileError, Problems, ProfileError
from flowforge.values import Location

_ENV_NAME = re.compile(r"[^\W_][\w.-]*")


def layered_environ(
    root: Path, env: str, environ: Mapping[str, str] | None = None, *, cwd: Path | None = None
) -> Mapping[str, str]:
    """All variables, as an immutable mapping.

    Of the files ``.env`` in *cwd*, then ``.env``, ``.env.local``, ``.env.<env>`` and ``.env.<env>.local`` in the
    project, a later one wins over an earlier one; *environ* wins over all of them. Values are taken as they stand:
    ``${NAME}`` inside of them is not replaced. ``os.environ`` is read, never changed.

    Parameters
    ----------
    root:
        The project folder.
    env:
        Name of the environment (of the profile).
    environ:
        The shell's variables; the process's own by default.
    cwd:
        The current folder; the process's own by default.

    Raises
    ------
    ProfileError
        When *env* is no name that a file could have.
    ConfigFileError
        When a file is not UTF-8 or has a line that is no assignment.
    """
    environ = os.environ if environ is None else environ
    cwd = Path.cwd() if cwd is None else cwd
    if not _ENV_NAME.fullmatch(env):
        raise ProfileError(
            f"'{env}' is no name of an environment", help="use letters, digits, dots, hyphens and underscores"
        )
    files = [root / name for name in (".env", ".env.local", f".env.{env}", f".env.{env}.local")]
    if cwd.resolve() != root.resolve():
        files.insert(0, cwd / ".env")
    merged: dict[str, str] = {}
    problems = Problems()
    for file in files:
        if file.is_file():
            merged |= _read(file, _shown(file, root), problems)
    problems.raise_if_any()
    return MappingProxyType(merged | dict(environ))


def _shown(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)


def _read(file: Path, shown: str, problems: Problems) -> dict[str, str]:
    # Its parser, and not its loader, because the loader only logs the lines that it does not understand.
    from dotenv.parser import parse_stream

    raw = read_bytes(file, shown)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        problems.add(
            ConfigFileError(
                f"the file is not UTF-8: byte 0x{raw[exc.start]:02x} at offset {exc.start}",
                location=Location(shown, line),
                help="save the file with the encoding UTF-8",
            )
        )
        return {}
    values: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or (binding.key is not None and binding.value is None):
            # The text of the line is left out: it may hold a secret.
            skipped = len(binding.original.string) - len(binding.original.string.lstrip())
            line = binding.original.line + binding.original.string.count("\n", 0, skipped)
            problems.add(
                ConfigFileError(
                    "this line is no assignment",
                    code="FF1010",
                    location=Location(shown, line),
                    help='write NAME=value, or NAME="a value with spaces or #"',
                )
            )
        elif binding.key is not None and binding.value is not None:
            values[binding.key] = binding.value
    return values
