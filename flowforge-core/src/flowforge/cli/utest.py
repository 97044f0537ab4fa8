"""``flowforge utest``."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowforge.cli.console import duration
from flowforge.cli.context import Context, with_context
from flowforge.cli.diagnostics import shown_place
from flowforge.cli.junit import JUnitSuite, write_junit
from flowforge.cli.junit_cases import unit_test_case
from flowforge.cli.options import project_argument, report_options, vars_option
from flowforge.cli.output import Output, error_as_data
from flowforge.cli.reports import Reports, facts_of
from flowforge.cli.shield import shielded_output
from flowforge.errors import CHECKS_FAILED, FAILED, OK, UsageError

if TYPE_CHECKING:
    from flowforge.api import Project
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
@click.option(
    "--create",
    metavar="MODEL",
    help="Write a test for this model from rows that stand in the database, and expect what "
    "the model makes of them. --path names the file.",
)
@click.option("--rows", type=click.IntRange(1, 1000), help="With --create: rows of each input.  [default: 5]")
@click.option("--force", is_flag=True, help="With --create: write over a file that is there.")
@vars_option
@report_options
@with_context
def command(
    context: Context,
    project: Path | None,
    model: str | None,
    case: str | None,
    path: str | None,
    jobs: int | None,
    cached: bool,
    create: str | None,
    rows: int | None,
    force: bool,
    vars: tuple[str, ...],
    junit: Path | None,
    results: Path | None,
) -> int:
    """Exit code 2 when rows differ from what was expected, 1 when a model could not be run."""
    from flowforge.api.unit_tests import find_cases, has_unit_tests, run_cases

    if create is not None:
        others = {"--model": model, "--case": case, "--jobs": jobs, "--cached": cached}
        _refuse(others, "runs tests, and --create writes one", "give one of them")
        with context.project(project, vars) as loaded:
            return _create(context, loaded, create, rows, path, force)
    _refuse({"--rows": rows, "--force": force}, "is about --create", "name a model: --create NAME")
    Reports(junit, results).prepare()
    started = dt.datetime.now(dt.UTC)
    with context.project(project, vars) as loaded:
        if not has_unit_tests(loaded) and path is None:
            context.output.say("No unit tests: there are no files in tests/unit.")
            return OK
        cases = find_cases(loaded, model=model, case=case, path=path)
        context.mask(loaded)
        with shielded_output():
            done = run_cases(loaded, cases, jobs=jobs, cached=cached, handle_signals=True)
    for result in done:
        _print(result, context.output)
    counts = Counter("unchanged" if result.cached else result.status for result in done)
    exit_code = FAILED if counts["error"] else CHECKS_FAILED if counts["fail"] else OK
    if junit is not None:
        _report(done, junit, started, context.output)
    if results is not None:
        from flowforge.cli.results_file import write_unit_results

        tests = [as_data(one) for one in done]
        write_unit_results(results, tests, started, exit_code, facts_of(loaded), context.output)
    total = ", ".join(f"{counts[status]} {word}" for status, word in _WORDS.items() if counts[status])
    context.output.say(f"unit tests: {total or 'none'}")
    return exit_code


def _report(results: Sequence[UnitResult], path: Path, started: dt.datetime, output: Output) -> None:
    cases = [
        unit_test_case(one.case.id, one.status, one.duration, one.lines, one.case.location, output) for one in results
    ]
    spent = (dt.datetime.now(dt.UTC) - started).total_seconds()
    write_junit(path, [JUnitSuite("unit tests", cases, spent, started, {"command": "utest"})])


def _refuse(given: Mapping[str, object], why: str, help: str) -> None:
    for option, value in given.items():
        if value:
            raise UsageError(f"{option} {why}", help=help)


def _create(context: Context, project: Project, model: str, rows: int | None, path: str | None, force: bool) -> int:
    from flowforge.api.unit_creation import ROWS, create_test

    context.connect(project)
    with shielded_output():
        made = create_test(project, model, rows=rows or ROWS, path=path, force=force)
    output = context.output
    output.answer(made.path)
    told = ", ".join(f"{_rows_of(count)} of {name}" for name, count in made.inputs.items())
    output.say(f"It gives {told or 'nothing'}, and expects {_rows_of(made.expected)}.")
    for name, columns in made.left_out.items():
        output.say(f"Left out, because no unit test can hold them: {', '.join(columns)} of {name}.")
    if not made.expected:
        output.say("It expects no rows, which says little: take more (--rows), or write rows that fit together.")
    output.say("These are rows of your database. Look at them before you share the file.")
    return OK


def _rows_of(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


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
    lines = result.lines
    for line in lines[:SHOWN]:
        output.answer(f"    {line}")
    if len(lines) > SHOWN:
        output.answer(f"    and {len(lines) - SHOWN} more")
    if result.status == "fail":
        if output.log_format == "github":
            text = "\n".join(result.lines[:SHOWN])
            output.annotate("error", text, case.location, title=f"unit test {case.id}")
        output.answer(f"    declared at {shown_place(case.location, output.root)}")


_STATUS = {"pass": "success", "fail": "fail", "error": "error", "skip": "skipped"}


def as_data(result: UnitResult) -> dict[str, object]:
    """A result in the form that a build's file of results has."""
    case = result.case
    return {
        "name": case.id,
        "node": case.node.name,
        "status": "cached" if result.cached else _STATUS[result.status],
        "duration_ms": round(result.duration * 1000),
        "differences": list(result.lines),
        "error": error_as_data(result.error) if result.error is not None else None,
        "path": case.location.path,
        "line": case.location.line,
    }


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
