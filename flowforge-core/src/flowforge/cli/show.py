"""``flowforge show``."""

from __future__ import annotations

import csv
import decimal
import io
import json
from typing import TYPE_CHECKING

import click

from flowforge.cli.context import Context, with_context
from flowforge.cli.options import vars_option

if TYPE_CHECKING:
    import pyarrow as pa

    from flowforge.cli.output import Output


@click.command("show", help="Show the first rows of a model as it would be built now, of a seed, or of a query.")
@click.argument("node", required=False)
@click.option("--inline", metavar="SQL", help="A query instead of a node; it may use ref() and source().")
@click.option("--limit", type=click.IntRange(min=0), default=10, show_default=True, help="How many rows; 0: all.")
@click.option("--format", "shape", type=click.Choice(["text", "json", "csv"]), default="text", show_default=True)
@vars_option
@with_context
def command(
    context: Context, node: str | None, inline: str | None, limit: int, shape: str, vars: tuple[str, ...]
) -> int:
    """Print rows."""
    with context.project(None, vars) as loaded:
        context.connect(loaded)
        table = loaded.show(node, inline=inline, limit=limit or None)
        print_rows(table, shape, context.output)
    return 0


def _plain(value: object) -> object:
    """A value that JSON does not know: a decimal as a number if that changes nothing, everything else as text."""
    if isinstance(value, decimal.Decimal):
        if value == value.to_integral_value():
            return int(value)
        if decimal.Decimal(repr(float(value))) == value:
            return float(value)
    return str(value)


def print_rows(table: pa.Table, shape: str, output: Output) -> None:
    """Print the rows of a table as text, lines of JSON or CSV."""
    names = table.schema.names
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    if shape == "json":
        for row in rows:
            output.answer(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, default=_plain))
    elif shape == "csv":
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
        output.answer(buffer.getvalue().rstrip("\n"))
    else:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        shown = Table(box=box.SIMPLE_HEAD if output.unicode else box.ASCII, show_edge=False)
        for field in table.schema:
            number = str(field.type).startswith(("int", "uint", "float", "double", "decimal"))
            shown.add_column(Text(output.redact(field.name)), justify="right" if number else "left", overflow="fold")
        for row in rows:
            shown.add_row(*(Text(output.redact("NULL" if value is None else str(value))) for value in row))
        width = None if output.stdout.isatty() else 10_000
        Console(file=output.stdout, width=width, highlight=False, no_color=not output.color_out).print(shown)
