"""``flowforge status``."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowforge.cli.context import Context, with_context
from flowforge.cli.options import project_argument, selection_options, vars_option

if TYPE_CHECKING:
    from flowforge.api.status import AssetStatus

_SIGNS = {
    "healthy": ("✓", "."),
    "unknown": ("?", "?"),
    "never built": ("-", "-"),
    "warning": ("!", "!"),
    "stale": ("~", "~"),
    "failing": ("✗", "x"),
}
_BAD = {
    "failing": ("failing",),
    "stale": ("failing", "stale"),
    "warning": ("failing", "stale", "warning", "never built"),
}
_REASONS = 3  # that are shown of one asset
FOUND_BAD = 2


@click.command(
    "status",
    help="Say how models, seeds and sources stand: when they were built, what their checks found, how old sources were. "
    "It tells what runs under this profile have noted in this folder, and needs no connection.\n\n"
    "Exit code 2 when --fail-on finds something.",
)
@project_argument
@selection_options
@vars_option
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--fail-on",
    type=click.Choice(list(_BAD)),
    help="Exit with 2 when something is failing; stale or failing; or warning, never built, stale or failing.",
)
@with_context
def command(
    context: Context,
    project: Path | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    state: Path | None,
    vars: tuple[str, ...],
    shape: str,
    fail_on: str | None,
) -> int:
    """Print one line (or object) for each asset."""
    with context.project(project, vars, state) as loaded:
        context.connect(loaded)
        found = loaded.status(select, exclude)
        where = f"under the profile {loaded.profile.name!r} on {loaded.engine.name}"
    for note in found.notes:
        context.output.note(note)
    now = dt.datetime.now(dt.UTC)
    if shape == "json":
        lines = [json.dumps(_data(one, now), ensure_ascii=False) for one in found.assets]
    else:
        lines = _table(found.assets, now, context.output.unicode)
    if lines:
        context.output.answer("\n".join(lines))
    counts = Counter(one.verdict.value for one in found.assets)
    told = ", ".join(f"{counts[word]} {word}" for word in _SIGNS if counts[word])
    context.output.say(f"{told} {where}")
    return FOUND_BAD if fail_on is not None and any(counts[word] for word in _BAD[fail_on]) else 0


def _table(assets: tuple[AssetStatus, ...], now: dt.datetime, unicode: bool) -> list[str]:
    rows = [
        (
            f"{_SIGNS[one.verdict.value][0 if unicode else 1]} {_name(one)}",
            one.verdict.value,
            _freshness(one, now) if one.kind == "source" else _build(one, now),
            _checks(one),
        )
        for one in assets
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    lines = []
    for one, row in zip(assets, rows, strict=True):
        cells = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        more = len(one.reasons) - _REASONS
        reasons = [*one.reasons[:_REASONS], *([f"{more} more"] if more > 0 else [])]
        lines.append(f"{cells}  {'; '.join(reasons)}".rstrip())
    return lines


def _name(one: AssetStatus) -> str:
    name = one.name.removesuffix(".ff")
    return f"source {name}" if one.kind == "source" else name


def _build(one: AssetStatus, now: dt.datetime) -> str:
    if one.build is None or one.build.built_at is None:
        return "" if one.verdict.value == "never built" else "built elsewhere or earlier"
    rows = f", {one.build.rows:,} rows" if one.build.rows is not None else ""
    return f"built {ago(one.build.built_at, now)}{rows}"


def _freshness(one: AssetStatus, now: dt.datetime) -> str:
    if one.age is None:
        return ""
    newest = f"newest row {ago(one.age.newest, now)}, " if one.age.newest is not None else ""
    return f"{newest}looked at {ago(one.age.at, now)}"


def _checks(one: AssetStatus) -> str:
    state = one.checks
    parts = [
        f"{count} {word}"
        for count, word in ((state.passed, "passed"), (state.warned, "warned"), (state.failed, "failed"))
        if count
    ]
    if state.unknown:
        parts.append(f"{state.unknown} not run")
    return f"checks: {', '.join(parts)}" if parts else ""


_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def ago(moment: dt.datetime, now: dt.datetime) -> str:
    """How long ago something was, roughly."""
    seconds = (now - moment).total_seconds()
    for size, unit in _SPANS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now" if seconds > -60 else f"in {int(-seconds // 60)} min"


def _data(one: AssetStatus, now: dt.datetime) -> dict[str, Any]:
    build, age, checks = one.build, one.age, one.checks
    return {
        "name": one.name.removesuffix(".ff"),
        "kind": one.kind,
        "verdict": one.verdict.value,
        "reasons": list(one.reasons),
        "built_at": _iso(build.built_at) if build is not None else None,
        "built_run": build.built_run if build is not None else None,
        "age_seconds": round((now - build.built_at).total_seconds(), 3)
        if build is not None and build.built_at is not None
        else None,
        "rows": build.rows if build is not None else None,
        "last_attempt": {
            "run_id": build.ended_run,
            "at": _iso(build.ended_at),
            "status": build.status.value,
            "message": build.message,
            "code": build.code,
        }
        if build is not None
        else None,
        "freshness": {
            "at": _iso(age.at),
            "status": age.status,
            "newest": _iso(age.newest),
            "age_seconds": age.age,
            "message": age.message,
        }
        if age is not None
        else None,
        "checks": {
            "passed": checks.passed,
            "warned": checks.warned,
            "failed": checks.failed,
            "not_run": checks.unknown,
            "at": _iso(checks.at),
        },
    }


def _iso(moment: dt.datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment is not None else None
