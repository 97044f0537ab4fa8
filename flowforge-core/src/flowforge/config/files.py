"""Reading the project's own files, and the rule that their paths stay inside of it."""

from __future__ import annotations

import os
from pathlib import Path

from flowforge.config.parsed import Parsed
from flowforge.config.yaml import YamlDocument, parse_yaml
from flowforge.errors import ConfigFileError
from flowforge.values import Location

CONTRACT_SUFFIXES = (".contracts.yml", ".contracts.yaml")
"""How the names of files end that hold the contract of one table."""


def read_yaml(root: Path, path: str, parsed: Parsed | None = None) -> YamlDocument:
    """Read and parse one YAML file.

    Parameters
    ----------
    root:
        The project folder.
    path:
        Relative to *root*, with forward slashes.
    parsed:
        Reads the file's bytes, if what comes of them is to be kept.

    Raises
    ------
    ConfigFileError
        When the file cannot be read (missing, a folder, no permission) or is not valid YAML.
    """
    return parse_yaml(read_bytes(root / path, path, parsed), path)


def read_document(root: Path, path: str, parsed: Parsed | None) -> YamlDocument:
    """As :func:`read_yaml`, or what was kept of the file if it has not changed since."""
    if parsed is None:
        return read_yaml(root, path)
    from flowforge.config.kept_documents import keep_document, kept_document

    doc = kept_document(parsed, path)
    if doc is None:
        doc = read_yaml(root, path, parsed)
        keep_document(parsed, doc)
    return doc


def read_bytes(file: Path, shown: str, parsed: Parsed | None = None) -> bytes:
    """A file's bytes; *shown* is its name in errors."""
    try:
        return file.read_bytes() if parsed is None else parsed.content(shown)
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
        raise ConfigFileError(
            f"the file cannot be read: {reason}", location=Location(shown), help="check that it is a readable file"
        ) from None


def inside(root: Path, value: str) -> Path:
    """A path that a project file names, taken from the project folder.

    Raises
    ------
    ValueError
        With a message for users, when it is absolute, or leaves the project by ``..`` or through a symbolic link.
    """
    if "\x00" in value:
        raise ValueError("a path cannot contain a NUL character")
    if Path(value).is_absolute():
        raise ValueError("has to be relative to the project folder")
    home = Path(os.path.realpath(root))
    if not Path(os.path.realpath(home / value)).is_relative_to(home):
        raise ValueError("is outside the project")
    return root / value
