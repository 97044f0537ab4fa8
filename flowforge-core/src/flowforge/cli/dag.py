"""``flowforge dag``."""

from __future__ import annotations

from pathlib import Path

import click

from flowforge.cli.context import Context, with_context
from flowforge.cli.options import project_argument, selection_options, vars_option


@click.command("dag", help="Print the DAG as a Mermaid flowchart, for a README or a pull request.")
@project_argument
@selection_options
@vars_option
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it to this file instead.")
@with_context
def command(
    context: Context,
    project: Path | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    state: Path | None,
    vars: tuple[str, ...],
    out: Path | None,
) -> int:
    """Print the flowchart's text."""
    text = context.project(project, vars, state).mermaid(select, exclude)
    if out is None:
        context.output.answer(text.rstrip("\n"))
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, "utf-8")
        context.output.say(f"wrote {out}")
    return 0
