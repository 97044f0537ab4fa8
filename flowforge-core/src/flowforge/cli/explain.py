"""``flowforge explain``."""

from __future__ import annotations

import difflib
import tomllib
from importlib.resources import files

import click

from flowforge.cli.context import Context, with_context
from flowforge.errors import UsageError


@click.command("explain", help="Explain an error code, offline. Without a code: list all of them.")
@click.argument("code", required=False)
@with_context
def command(context: Context, code: str | None) -> int:
    """Print the text that belongs to a code."""
    codes = tomllib.loads(files("flowforge").joinpath("codes.toml").read_text("utf-8"))
    if code is None:
        for key, entry in sorted(codes.items()):
            context.output.answer(f"{key}  {entry['title']}")
        return 0
    wanted = code.upper().strip("[]")
    wanted = wanted if wanted.startswith("FF") else f"FF{wanted}"
    if wanted not in codes:
        close = difflib.get_close_matches(wanted, codes, n=1)
        raise UsageError(
            f"there is no error code {code!r}",
            help=f"did you mean {close[0]}?" if close else "`flowforge explain` lists all of them",
        )
    entry = codes[wanted]
    context.output.answer(f"{wanted}: {entry['title']}\n\n{entry['text'].strip()}")
    return 0
