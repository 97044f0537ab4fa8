"""``flowforge schema``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from flowforge.api.schemas import FOLDER
from flowforge.cli.context import Context, with_context


@click.group("schema", help="JSON Schemas of the project's YAML files, for editors.")
def command() -> None:
    """Commands about schemas."""


@command.command("export", help=f"Write the schemas of all YAML files into a folder ({FOLDER}).")
@click.option(
    "--out", metavar="DIR", type=click.Path(path_type=Path, file_okay=False), default=Path(FOLDER), help="The folder."
)
@with_context
def export(context: Context, out: Path) -> int:
    """Write one file for each kind of YAML file, and print their paths."""
    from flowforge.api.schemas import write_schemas
    from flowforge.plugins import load_plugins

    for path in write_schemas(out, load_plugins(os.environ).engines):
        context.output.answer(str(path))
    return 0
