"""``flowforge clean``."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from flowforge.cli.context import Context, with_context
from flowforge.cli.options import project_argument
from flowforge.errors import ProjectError, UsageError


@click.command(
    "clean", help="Delete the folder .flowforge of the project: caches, history, artifacts. No table is touched."
)
@project_argument
@with_context
def command(context: Context, project: Path | None) -> int:
    """Delete what FlowForge itself put into the project."""
    root = context.root(project)
    if not (root / "project.yml").is_file():
        raise UsageError(f"{root} is no project: it has no project.yml", help="give the path of a project's folder")
    folder = root / ".flowforge"
    if folder.is_symlink():
        raise ProjectError(
            f"{folder} is a link, so it is left alone",
            code="FF1026",
            help="delete the link yourself, and what it means",
        )
    if not folder.is_dir():
        context.output.say("nothing to clean")
        return 0
    shutil.rmtree(folder)
    context.output.say(f"deleted {folder}")
    return 0
