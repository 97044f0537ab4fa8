"""``flowforge source``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowforge.cli.context import Context, with_context
from flowforge.cli.options import project_argument, vars_option

if TYPE_CHECKING:
    from flowforge.api.freshness import SourceAge

_SIGNS = {"pass": ("✓", "ok"), "warn": ("!", "WARN"), "error": ("✗", "ERROR"), "failed": ("✗", "FAILED")}
_SPANS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


@click.group("source", help="What can be asked of sources.")
def command() -> None:
    """Commands about sources."""


@click.command("freshness", help="Look how old the newest rows of sources are; exit code 1 when one is too old.")
@project_argument
@click.option("-s", "--select", multiple=True, metavar="SOURCE", help="group, group.table or a pattern; repeatable.")
@click.option("--exclude", multiple=True, metavar="SOURCE", help="What to leave out, likewise.")
@vars_option
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
@with_context
def freshness(
    context: Context,
    project: Path | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    vars: tuple[str, ...],
    shape: str,
) -> int:
    """Print one line (or object) for each source with a rule."""
    from flowforge.api.freshness import Freshness, source_ages

    with context.project(project, vars) as loaded:
        context.connect(loaded)
        ages = source_ages(loaded, select, exclude, warn=context.output.note)
    width = max(len(age.source) for age in ages)
    for age in ages:
        if shape == "json":
            context.output.answer(json.dumps(_data(age), ensure_ascii=False))
            continue
        sign = _SIGNS[age.status.value][0 if context.output.unicode else 1]
        context.output.answer(f"{sign} {age.source:<{width}}  {_words(age)}")
    bad = [age for age in ages if age.status in (Freshness.ERROR, Freshness.FAILED)]
    return 1 if bad else 0


command.add_command(freshness)


def _words(age: SourceAge) -> str:
    if age.age is None or age.newest is None:
        return age.message or ""
    limits = [
        f"{name} after {span(limit)}"
        for name, limit in (("warn", age.rule.warn_after), ("error", age.rule.error_after))
        if limit is not None
    ]
    return f"{span(age.age)} old ({', '.join(limits)})"


def span(seconds: float) -> str:
    """A rough duration for people."""
    if seconds < 0:
        return f"-{span(-seconds)}"
    size, unit = next(((size, unit) for size, unit in _SPANS if seconds >= size), (1, "s"))
    return f"{seconds / size:.3g} {unit}"


def _data(age: SourceAge) -> dict[str, object]:
    return {
        "source": age.source,
        "status": age.status.value,
        "newest": age.newest.isoformat() if age.newest else None,
        "age_seconds": age.age,
        "loaded_at_field": age.rule.column,
        "warn_after_seconds": age.rule.warn_after,
        "error_after_seconds": age.rule.error_after,
        "message": age.message,
    }
