"""``flowforge plugins``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from flowforge.cli.context import Context, with_context

_SAID_BY_ROW = "FF4001"
_SIGNS = {"active": ("✓", "ok"), "failed": ("✗", "FAILED"), "disabled": ("-", "off")}


@click.group("plugins", help="List plugins and what they offer, or begin a new one.", invoke_without_command=True)
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
@with_context
def command(context: Context, shape: str) -> int:
    """Print one row for each plugin, with what it offers or why it failed."""
    if click.get_current_context().invoked_subcommand is not None:
        return 0
    from flowforge.plugins import load_plugins

    plugins = load_plugins(os.environ)
    for info in plugins.infos:
        if shape == "json":
            row = {
                "name": info.name,
                "distribution": info.distribution,
                "version": info.version,
                "status": info.status,
                "offers": list(info.offers),
                "reason": info.reason,
                "notes": list(info.notes),
            }
            context.output.answer(json.dumps(row, ensure_ascii=False))
            continue
        sign = _SIGNS[info.status][0 if context.output.unicode else 1]
        context.output.answer(f"{sign} {info.name:<16} {info.distribution} {info.version}")
        for offer in info.offers:
            context.output.answer(f"    {offer}")
        if info.reason:
            context.output.answer(f"    {info.status}: {info.reason}")
        for remark in info.notes:
            context.output.answer(f"    note: {remark}")
    for note in plugins.notes:
        if note.code != _SAID_BY_ROW:
            context.output.note(note)
    return 0


@command.command("new", help="Make a distribution for a plugin called NAME, which works at once and passes its tests.")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(["engine", "check", "seed-format", "doc-renderer", "stream-source"]),
    default="engine",
    show_default=True,
    help="What the plugin is to offer.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="The new folder; else flowforge-NAME here."
)
@with_context
def new(context: Context, name: str, kind: str, out: Path | None) -> int:
    """Render the templates of a plugin's distribution."""
    from flowforge.scaffold.plugin import PluginKind, render_plugin

    target = out or Path(f"flowforge-{name.replace('_', '-')}")
    written = render_plugin(PluginKind(kind), name, target)
    for path in written:
        context.output.say(f"  {path}")
    context.output.say("Next steps:")
    context.output.answer(f"pip install -e {target}[test]")
    context.output.answer(f"pytest {target}")
    return 0
