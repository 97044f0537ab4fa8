"""``flowforge compile``."""

from __future__ import annotations

from pathlib import Path

import click

from flowforge.cli.context import Context, with_context
from flowforge.cli.options import project_argument, selection_options, vars_option
from flowforge.errors import NothingSelectedError


@click.command("compile", help="Print the SQL that models become on the profile's engine; secrets are masked.")
@project_argument
@selection_options
@vars_option
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Write one file a model into this folder."
)
@click.option(
    "--manifest",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Write the definitions of all nodes into this file (of a folder: manifest.json), for `--state`.",
)
@with_context
def command(
    context: Context,
    project: Path | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    state: Path | None,
    vars: tuple[str, ...],
    out: Path | None,
    manifest: Path | None,
) -> int:
    """Print or write compiled SQL."""
    with context.project(project, vars, state) as loaded:
        context.connect(loaded)
        if manifest is not None:
            context.output.say(f"wrote {loaded.write_manifest(manifest)}")
            if out is None:
                return 0
        compiled = loaded.compile(select, exclude)
    for note in dict.fromkeys(note for one in compiled.values() for note in one.notes):
        context.output.note(note)
    if not compiled:
        raise NothingSelectedError("the selection holds no SQL models", help="`flowforge ls -s kind:sql` lists them")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for name, one in compiled.items():
            (out / f"{name.removesuffix('.ff')}.sql").write_text(context.output.redact(one.sql) + "\n", "utf-8")
        context.output.say(f"wrote {len(compiled)} files to {out}")
        return 0
    for name, one in compiled.items():
        if len(compiled) > 1:
            context.output.answer(f"-- {name.removesuffix('.ff')}")
        context.output.answer(one.sql + (";\n" if len(compiled) > 1 else ""))
    return 0
