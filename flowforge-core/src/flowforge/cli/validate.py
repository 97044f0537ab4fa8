"""``flowforge validate``."""

from __future__ import annotations

from pathlib import Path

import click

from flowforge.cli.context import Context, with_context
from flowforge.cli.options import project_argument, vars_option


@click.command(
    "validate", help="Check the whole project without a connection: files, names, references, templates, SQL."
)
@project_argument
@vars_option
@click.option("--no-syntax", is_flag=True, help="Do not parse the compiled SQL.")
@with_context
def command(context: Context, project: Path | None, vars: tuple[str, ...], no_syntax: bool) -> int:
    """Report all problems at once; exit code 1 when there are any."""
    loaded = context.project(project, vars)
    context.mask(loaded)
    for note in loaded.validate(syntax=not no_syntax):
        context.output.note(note)
    manifest = loaded.manifest
    context.output.say(
        f"{context.output.style('valid', 'good')}: {len(manifest.nodes)} models and seeds,"
        f" {len(manifest.sources)} sources, {len(manifest.checks)} checks"
    )
    return 0
