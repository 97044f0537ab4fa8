"""``flowforge quarantine``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from flowforge.cli.context import Context, with_context
from flowforge.cli.options import project_argument, selection_options, vars_option
from flowforge.cli.show import print_rows

if TYPE_CHECKING:
    from flowforge.api.quarantine import Held
    from flowforge.state.decisions import Entry

F = TypeVar("F", bound=Callable[..., Any])


@click.group("quarantine", help="Review rows that checks with `on_fail: quarantine` put aside.")
def command() -> None:
    """Commands about rows that were put aside."""


def _choosing(function: F) -> F:
    for add in (
        click.option("--row", "hashes", multiple=True, metavar="HASH", help="A row by its hash, or by how it begins."),
        click.option("--check", "checks", multiple=True, metavar="NAME", help="Rows that fail this check."),
    ):
        function = add(function)
    return function


def _decision(called: str, summary: str) -> Callable[[Callable[[str, str, bool], Iterator[str]]], click.Command]:
    """A command that decides about rows of a model by the function of that name in the API.

    What is decorated says what came of it, by the model's name, the number of rows in words, and whether the model keeps
    what it published before.
    """

    def decorate(say: Callable[[str, str, bool], Iterator[str]]) -> click.Command:
        @click.command(called, help=summary)
        @click.argument("model")
        @_choosing
        @click.option("--all", "everything", is_flag=True, help="All rows.")
        @click.option("--note", metavar="TEXT", help="Why, for the log of decisions.")
        @vars_option
        @with_context
        def deciding(
            context: Context,
            model: str,
            checks: tuple[str, ...],
            hashes: tuple[str, ...],
            everything: bool,
            note: str | None,
            vars: tuple[str, ...],
        ) -> int:
            from flowforge.api import quarantine

            decide = {"release": quarantine.release, "drop": quarantine.drop, "hold": quarantine.hold}[called]
            with context.project(None, vars) as loaded:
                context.connect(loaded)
                count = decide(loaded, model, quarantine.Choice(checks, hashes, everything), note=note)
                node = loaded.manifest.find(model)
            grows = node is not None and (node.config.incremental is not None or node.config.snapshot is not None)
            for line in say(node.short_name if node is not None else model, _rows(count), grows):
                context.output.say(line)
            return 0

        return deciding

    return decorate


@click.command("ls", help="Count the rows in quarantine, by model and by check.")
@project_argument
@selection_options
@vars_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each model.")
@with_context
def listed(
    context: Context,
    project: Path | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    state: Path | None,
    vars: tuple[str, ...],
    as_json: bool,
) -> int:
    """Print the models that have rows in quarantine."""
    from flowforge.api.quarantine import quarantines

    with context.project(project, vars, state) as loaded:
        context.connect(loaded)
        found = quarantines(loaded, select, exclude)
    for held in found:
        if as_json:
            context.output.answer(json.dumps(_data(held), ensure_ascii=False))
        else:
            context.output.answer(_words(held))
            for check, count in held.reasons.items():
                context.output.answer(f"  {count:>8,}  {check}")
    if not found and not as_json:
        context.output.say("No rows are in quarantine.")
    return 0


@click.command("show", help="Show rows in the quarantine of a model, with the reasons and the hash of each.")
@click.argument("model")
@_choosing
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="How many rows; 0: all.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each row.")
@click.option("--format", "shape", type=click.Choice(["text", "json", "csv"]), default="text", show_default=True)
@vars_option
@with_context
def show(
    context: Context,
    model: str,
    checks: tuple[str, ...],
    hashes: tuple[str, ...],
    limit: int,
    as_json: bool,
    shape: str,
    vars: tuple[str, ...],
) -> int:
    """Print rows."""
    from flowforge.api.quarantine import Choice, held_rows

    with context.project(None, vars) as loaded:
        context.connect(loaded)
        table = held_rows(loaded, model, Choice(checks, hashes), limit=limit or None)
    print_rows(table, "json" if as_json else shape, context.output)
    return 0


@_decision("release", "Let rows pass the checks that they fail; the next build publishes them.")
def release(name: str, rows: str, grows: bool) -> Iterator[str]:
    """Release rows."""
    yield f"{rows} of {name} released; `flowforge build -s {name}` publishes what fails nothing else"


@_decision("drop", "Remove rows from a quarantine for good: they are not published, nor listed again.")
def drop(name: str, rows: str, grows: bool) -> Iterator[str]:
    """Drop rows."""
    yield f"{rows} of {name} dropped"


@_decision("hold", "Take a release back: from the next build on, the rows are put aside again.")
def hold(name: str, rows: str, grows: bool) -> Iterator[str]:
    """Take releases back."""
    yield f"{rows} of {name} held again; `flowforge build -s {name}` puts aside what still fails"
    if grows:
        yield f"Rows that {name} has already stay there until it is built with --full-refresh."


@click.command("log", help="Show what was decided about rows in quarantine: who, when, what and why; the newest first.")
@project_argument
@selection_options
@_choosing
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="How many decisions; 0: all.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each decision.")
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
@vars_option
@with_context
def log(
    context: Context,
    project: Path | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    state: Path | None,
    checks: tuple[str, ...],
    hashes: tuple[str, ...],
    limit: int,
    as_json: bool,
    shape: str,
    vars: tuple[str, ...],
) -> int:
    """Print decisions."""
    from flowforge.api.quarantine import Choice, log_of_decisions

    with context.project(project, vars, state) as loaded:
        context.connect(loaded)
        found = log_of_decisions(loaded, select, exclude, choice=Choice(checks, hashes), limit=limit or None)
    as_json = as_json or shape == "json"
    for entry in found:
        context.output.answer(json.dumps(_entry(entry), ensure_ascii=False) if as_json else _line(entry))
    if not found and not as_json:
        context.output.say("Nothing was decided about rows in quarantine.")
    return 0


def _entry(entry: Entry) -> dict[str, object]:
    return {
        "decided_at": entry.decided_at.isoformat(),
        "decided_by": entry.decided_by or None,
        "decision": entry.decision,
        "model": entry.node.removesuffix(".ff"),
        "check": entry.check_name,
        "rows": entry.rows,
        "row": entry.row_hash,
        "note": entry.note,
        "id": entry.decision_id,
    }


def _line(entry: Entry) -> str:
    what = entry.node.removesuffix(".ff") + (f"  {entry.check_name}" if entry.check_name else "")
    rows = f"row {entry.row_hash[:12]}" if entry.row_hash else _rows(entry.rows)
    note = f'  "{entry.note}"' if entry.note else ""
    who = entry.decided_by or "a run"
    return f"{entry.decided_at:%Y-%m-%d %H:%M:%S}  {who:<10}  {entry.decision:<7}  {what}  {rows}{note}"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _words(held: Held) -> str:
    waits = f", {_rows(held.released)} released for the next build" if held.released else ""
    return f"{held.node.removesuffix('.ff')}: {_rows(held.rows)} in {held.relation}{waits}"


def _data(held: Held) -> dict[str, object]:
    return {
        "model": held.node.removesuffix(".ff"),
        "relation": str(held.relation),
        "rows": held.rows,
        "released": held.released,
        "checks": dict(held.reasons),
    }


for one in (listed, show, release, hold, drop, log):
    command.add_command(one)
