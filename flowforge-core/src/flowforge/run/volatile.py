"""Warnings about models that read something of which nobody can tell whether it changed."""

from __future__ import annotations

from pathlib import Path

from flowforge.contract import Dialect
from flowforge.errors import Note
from flowforge.project.closure import Closure
from flowforge.project.manifest import Node
from flowforge.run.compile import Compiled


def sql_notes(compiled: Compiled, dialect: Dialect) -> tuple[Note, ...]:
    """One note for each volatile function and each relation that is read without ``ref`` or ``source``."""
    return ()


def python_notes(root: Path, node: Node, closure: Closure) -> tuple[Note, ...]:
    """One note for each thing that a Python model's files read besides their inputs."""
    return ()
