"""The end of a run, in text: errors with their places, checks, totals."""

from __future__ import annotations

from collections.abc import Callable

from flowforge.cli.console import duration, mark
from flowforge.cli.diagnostics import shown_place, source_frame
from flowforge.cli.output import Output
from flowforge.events import Status
from flowforge.project.own_checks import SINGULAR
from flowforge.run.result import CheckResult, RunResult

_WORDS = {
    Status.SUCCESS: "ok",
    Status.CACHED: "unchanged",
    Status.WARN: "warned",
    Status.ERROR: "failed",
    Status.FAIL: "failed checks or unit tests",
    Status.CANCELLED: "cancelled",
    Status.SKIPPED: "not run",
}
_UNIT_WORDS = {
    Status.SUCCESS: "passed",
    Status.CACHED: "unchanged",
    Status.FAIL: "failed",
    Status.ERROR: "could not run",
    Status.SKIPPED: "for other engines",
}
_AUDIT_CODES = ("FF3003", "FF3004")
_CHECK_MARKS = {
    Status.SUCCESS: "✅",
    Status.FAIL: "❌",
    Status.ERROR: "❌",
    Status.WARN: "❕",
    Status.INFO: "💬",
    Status.SKIPPED: "➖",
}
_CHECK_WORDS = {
    Status.SUCCESS: "pass",
    Status.FAIL: "FAIL",
    Status.ERROR: "ERROR",
    Status.WARN: "warn",
    Status.INFO: "info",
    Status.SKIPPED: "skip",
}


def report(result: RunResult, output: Output) -> None:
    """Print what went wrong, then one line that sums up the run."""
    ours = _stopped_by_us(result)
    for node in result.nodes:
        if node.error is not None and not (ours and node.status is Status.CANCELLED):
            output.error(node.error)
    if result.error is not None:
        output.error(result.error)
    failed = [check for check in result.checks if check.status in (Status.FAIL, Status.ERROR)]
    told = {id(check) for check in failed if _told_by_node(check, result)}
    for check in failed:
        if id(check) not in told:
            _print_check(check, output)
    _print_lone_unit_tests(result, output)
    for node in result.nodes:
        if node.pruned:
            versions = "1 old version" if node.pruned == 1 else f"{node.pruned} old versions"
            output.say(f"pruned {node.node.removesuffix('.ff')}: {versions} removed")
    totals = [f"{count} {_WORDS[status]}" for status in _WORDS if (count := result.counts.get(status, 0))]
    if result.checks:
        counts = result.check_counts
        passed, warned = counts.get(Status.SUCCESS, 0), counts.get(Status.WARN, 0)
        broken = f" ({counts[Status.ERROR]} could not run)" if counts.get(Status.ERROR) else ""
        totals.append(f"checks: {passed} passed, {warned} warned, {len(failed)} failed{broken}")
    if result.unit_tests:
        totals.append(f"unit tests: {_counted(result)}")
    if result.quarantined:
        totals.append(f"{result.quarantined:,} {'row' if result.quarantined == 1 else 'rows'} quarantined")
    role = "good" if result.ok else "error"
    head = output.style(f"{result.command} {'finished' if result.ok else 'failed'}", role)
    output.say(f"{head} in {duration(result.duration)}: {', '.join(totals) or 'nothing to do'}")


def _counted(result: RunResult) -> str:
    """How many unit tests ended in which way."""
    counts = result.unit_test_counts
    return ", ".join(f"{counts[status]} {word}" for status, word in _UNIT_WORDS.items() if counts.get(status))


def _print_lone_unit_tests(result: RunResult, output: Output) -> None:
    """Those that failed, and of which no model's error tells."""
    told = {node.node for node in result.nodes if node.error is not None}
    for test in result.unit_tests:
        if test.status in (Status.FAIL, Status.ERROR) and not told:
            output.say(f"{mark(test.status, output)} unit test {test.case}")
            for line in test.lines:
                output.say(f"    {line}")


def _stopped_by_us(result: RunResult) -> bool:
    """Nodes were cancelled because of an interrupt or another failure, so that each of them is no news."""
    counts = result.counts
    return result.error is not None or bool(counts.get(Status.ERROR) or counts.get(Status.FAIL))


def _told_by_node(check: CheckResult, result: RunResult) -> bool:
    """An audit that failed or could not run is its node's error already."""
    return any(
        node.node == check.node and node.error is not None and node.error.code in _AUDIT_CODES for node in result.nodes
    )


def data_quality_summary(result: RunResult, output: Output) -> None:
    """Print every check with its result, and the totals; this is what ``flowforge test`` was asked for."""
    output.answer("Data Quality Summary")
    output.answer(("─" if output.unicode else "-") * 20)
    for check in result.checks:
        _print_check(check, output, answer=True)
    counts = result.check_counts
    failed = counts.get(Status.FAIL, 0) + counts.get(Status.ERROR, 0)
    output.answer("")
    output.answer("Totals")
    output.answer(("─" if output.unicode else "-") * 6)
    tick, cross = ("✓", "✗") if output.unicode else ("+", "x")
    output.answer(f"{tick} passed: {counts.get(Status.SUCCESS, 0)}")
    if counts.get(Status.WARN):
        output.answer(f"! warned: {counts[Status.WARN]}")
    if counts.get(Status.INFO):
        output.answer(f"i noticed: {counts[Status.INFO]}")
    broken = counts.get(Status.ERROR, 0)
    if counts.get(Status.SKIPPED):
        output.answer(f"- not asked: {counts[Status.SKIPPED]}")
    output.answer(f"{cross} failed: {failed}{f', of which {broken} could not run' if broken else ''}")


def _print_check(check: CheckResult, output: Output, *, answer: bool = False) -> None:
    say = output.answer if answer else output.say
    sign = _CHECK_MARKS[check.status] if output.unicode else f"{_CHECK_WORDS[check.status]:5}"
    target = check.check if check.type == SINGULAR else f"{check.table}.{check.column}" if check.column else check.table
    say(f"{sign} {check.type:<18} {target:<40} ({check.duration * 1000:.0f}ms)")
    arrow = "↳" if output.unicode else "->"
    if check.status is Status.SUCCESS and check.remark:
        say(f"   {arrow} {check.remark}")
    if check.status is not Status.SUCCESS and check.message:
        say(f"   {arrow} {check.message}")
        if check.stored:
            say(f"   {arrow} stored in {check.stored}")
        if check.status is Status.ERROR:
            _print_problem(check, say, arrow, output)
        if check.sql and output.verbosity >= 1:
            say(f"   {arrow} e.g. SQL: {' '.join(check.sql.split())}")


def _print_problem(check: CheckResult, say: Callable[[str], None], arrow: str, output: Output) -> None:
    """Where a check that could not run is to be corrected."""
    problem = check.problem
    if problem is not None and problem.location is not None:
        say(f"   {arrow} {problem.code} at {shown_place(problem.location, output.root)}")
        for line in source_frame(problem.location, output.root):
            say(f"     {line}")
    if problem is not None and problem.help:
        say(f"   {arrow} help: {problem.help}")
    if check.location is not None and (problem is None or problem.location != check.location):
        say(f"   {arrow} declared at {shown_place(check.location, output.root)}")
