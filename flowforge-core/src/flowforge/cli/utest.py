"""``flowforge utest``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowforge.cli.console import duration
from flowforge.cli.context import Context, with_context
from flowforge.cli.diagnostics import shown_place
from flowforge.cli.options import project_argument, vars_option
from flowforge.cli.output import Output
from flowforge.cli.shield import shielded_output
from flowforge.errors import CHECKS_FAILED, FAILED, OK

if TYPE_CHECKING:
    from flowforge.utest.running import UnitResult

_MARKS = {"pass": ("✓", "pass", "good"), "fail": ("✗", "FAIL", "error"), "error": ("✗", "ERROR", "error")}
_WORDS = {
    "pass": "passed",
    "unchanged": "unchanged",
    "fail": "failed",
    "error": "could not run",
    "skip": "left out",
}
_MARKS["skip"] = ("-", "skip", "dim")


@click.command(
    "utest", help="Run unit tests of models: rows in, expected rows out. Nothing in the database is touched."
)
@project_argument
@click.option("--model", metavar="NAME", help="Only the cases of this model.")
@click.option("--case", metavar="NAME", help="Only the case of this name.")
@click.option("--path", metavar="FILE", help="Only the cases of this file.")
@click.option("-j", "--jobs", type=click.IntRange(1), help="Cases at once.")
@click.option(
    "--cached",
    is_flag=True,
    envvar=["FLOWFORGE_UTEST_CACHED"],
    show_envvar=True,
    help="Leave out what passed before and of which nothing has changed since, as `build` does.",
)
@vars_option
@with_context
def command(
    context: Context,
    project: Path | None,
    model: str | None,
    case: str | None,
    path: str | None,
    jobs: int | None,
    cached: bool,
    vars: tuple[str, ...],
) -> int:
    """Exit code 2 when rows differ from what was expected, 1 when a model could not be run."""
    from flowforge.api.unit_tests import find_cases, has_unit_tests, run_cases

    with context.project(project, vars) as loaded:
        if not has_unit_tests(loaded) and path is None:
            context.output.say("No unit tests: there are no files in tests/unit.")
            return OK
        cases = find_cases(loaded, model=model, case=case, path=path)
        context.mask(loaded)
        with shielded_output():
            results = run_cases(loaded, cases, jobs=jobs, cached=cached, handle_signals=True)
    for result in results:
        _print(result, context.output)
    counts = Counter("unchanged" if result.cached else result.status for result in results)
    total = ", ".join(f"{counts[status]} {word}" for status, word in _WORDS.items() if counts[status])
    context.output.say(f"unit tests: {total or 'none'}")
    return FAILED if counts["error"] else CHECKS_FAILED if counts["fail"] else OK


def _print(result: UnitResult, output: Output) -> None:
    from flowforge.utest.comparing import SHOWN

    case = result.case
    if output.log_format == "json":
        output.record("unit_test", as_json(result))
        return
    sign, word, role = _MARKS[result.status]
    mark = output.style(sign if output.unicode else f"{word:5}", role)
    output.answer(f"{mark} {case.id} ({'unchanged' if result.cached else duration(result.duration)})")
    if result.error is not None:
        output.error(result.error)
        return
    if result.message:
        output.answer(f"    {result.message}")
    lines = [line for difference in result.differences for line in difference.lines()]
    for line in lines[:SHOWN]:
        output.answer(f"    {line}")
    if len(lines) > SHOWN:
        output.answer(f"    and {len(lines) - SHOWN} more")
    if result.status == "fail":
        output.answer(f"    declared at {shown_place(case.location, output.root)}")


def as_json(result: UnitResult) -> dict[str, object]:
    """A result as one JSON record."""
    return {
        "model": result.case.node.short_name,
        "case": result.case.name,
        "status": result.status,
        "duration": round(result.duration, 6),
        "cached": result.cached,
        "message": result.message,
        "differences": [line for difference in result.differences for line in difference.lines()],
        "file": result.case.location.path,
        "line": result.case.location.line,
    }
