"""``flowforge init``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from flowforge.cli.context import Context, with_context


@click.command("init", help="Make a new project in the folder NAME; it builds at once, without credentials.")
@click.argument("name", metavar="NAME", type=click.Path(path_type=Path))
@click.option("--name", "project_name", metavar="NAME", help="The project's name; else that of the folder.")
@with_context
def command(context: Context, name: Path, project_name: str | None) -> int:
    """Write the files and say what to do next."""
    from flowforge.api.schemas import FOLDER, write_schemas
    from flowforge.plugins import load_plugins
    from flowforge.scaffold.project import render_project

    plugins = load_plugins(os.environ)
    engine = plugins.engine(context.given.engine) if context.given.engine else plugins.default_engine()
    for path in render_project(name, name=project_name, engine=engine):
        context.output.say(f"  {path}")
    write_schemas(name / FOLDER, plugins.engines)
    context.output.say("Next steps:")
    for step in (f"cd {name}", "flowforge build", "flowforge show customers"):
        context.output.answer(f"  {step}")
    return 0
