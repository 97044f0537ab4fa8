"""What of a run goes into a JUnit file: nodes, checks and unit tests as cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from flowforge.cli.console import short_name
from flowforge.cli.diagnostics import shown_place
from flowforge.cli.junit import JUnitCase, JUnitSuite, write_junit
from flowforge.cli.output import Output
from flowforge.errors import FlowForgeError
from flowforge.events import Status
from flowforge.run.result import CheckResult, NodeResult, RunResult
from flowforge.values import Location

_UNIT_STATUS: Mapping[Status, Literal["fail", "error", "skip"]] = {
    Status.FAIL: "fail",
    Status.ERROR: "error",
    Status.SKIPPED: "skip",
}
_CHECK_STATUS = {Status.FAIL: "fail", Status.ERROR: "error", Status.SKIPPED: "skip"}
_NODE_STATUS = {
    Status.FAIL: "fail",
    Status.ERROR: "error",
    Status.SKIPPED: "skip",
    Status.CANCELLED: "skip",
}


def report_junit(result: RunResult, path: Path, output: Output) -> None:
    """Write what became of nodes and checks.

    Raises
    ------
    UsageError
        When the file cannot be written.
    """
    suites = []
    facts = {"run_id": result.run_id, "command": result.command}
    if result.nodes or result.error is not None:
        cases = [_node_case(node, output) for node in result.nodes]
        if result.error is not None:
            cases.append(_broken(result.command, result.error, output))
        suites.append(JUnitSuite(result.command, cases, result.duration, result.started_at, facts))
    if result.checks or not suites:
        checks = [_check_case(check, output) for check in result.checks]
        spent = result.duration if not suites else sum(check.duration for check in result.checks)
        suites.append(JUnitSuite("checks", checks, spent, result.started_at, facts))
    if result.unit_tests:
        tests = [
            unit_test_case(
                one.case, _UNIT_STATUS.get(one.status, "pass"), one.duration, one.lines, one.location, output
            )
            for one in result.unit_tests
        ]
        spent = sum(one.duration for one in result.unit_tests)
        suites.append(JUnitSuite("unit tests", tests, spent, result.started_at, facts))
    write_junit(path, suites)


def unit_test_case(
    id_: str,
    status: Literal["pass", "fail", "error", "skip"],
    seconds: float,
    lines: Sequence[str],
    location: Location | None,
    output: Output,
) -> JUnitCase:
    """A unit test as a case of a report; *lines* say what differs."""
    model, _, name = id_.partition("::")
    said = [*lines, f"declared at {shown_place(location, output.root)}"] if location is not None else [*lines]
    return JUnitCase(
        name=name,
        group=f"flowforge.{model}",
        status=status,
        seconds=seconds,
        message=output.redact(lines[0]) if lines and status != "pass" else None,
        details=output.redact("\n".join(said)) if status in ("fail", "error") else None,
        file=location.path if location is not None else None,
        line=location.line if location is not None else None,
    )


def _node_case(node: NodeResult, output: Output) -> JUnitCase:
    message = details = None
    if node.error is not None:
        message, details = output.redact(node.error.message), _told(node.error, output)
    elif node.blocked_by is not None:
        message = f"blocked by {short_name(node.blocked_by)}"
    elif node.status in (Status.SKIPPED, Status.CANCELLED):
        message = "cancelled" if node.status is Status.CANCELLED else "not run"
    place = node.error.location if node.error is not None else None
    return JUnitCase(
        name=short_name(node.node),
        group=f"flowforge.{node.materialized}",
        status=_NODE_STATUS.get(node.status, "pass"),  # type: ignore[arg-type]
        seconds=node.duration,
        message=message,
        details=details,
        file=place.path if place is not None else None,
        line=place.line if place is not None else None,
    )


def _check_case(check: CheckResult, output: Output) -> JUnitCase:
    said = [text for text in (check.message, check.remark) if text]
    if check.problem is not None:
        said.append(_told(check.problem, output))
    if check.location is not None and check.status is not Status.SUCCESS:
        said.append(f"declared at {shown_place(check.location, output.root)}")
    if check.sql and check.status is not Status.SUCCESS:
        said.append(f"SQL: {check.sql}")
    text = output.redact("\n".join(said)) or None
    status = _CHECK_STATUS.get(check.status, "pass")
    return JUnitCase(
        name=check.check,
        group=f"flowforge.{check.type}",
        status=status,  # type: ignore[arg-type]
        seconds=check.duration,
        message=output.redact(check.message) if check.message else None,
        details=text if status != "pass" else None,
        output=f"{check.status.value}: {text}" if status == "pass" and text else None,
        file=check.location.path if check.location is not None else None,
        line=check.location.line if check.location is not None else None,
    )


def _broken(command: str, error: FlowForgeError, output: Output) -> JUnitCase:
    return JUnitCase(command, "flowforge", "error", message=output.redact(error.message), details=_told(error, output))


def _told(error: FlowForgeError, output: Output) -> str:
    place = f"at {shown_place(error.location, output.root)}" if error.location is not None else None
    lines = [f"{error.code} {error.message}", place, *error.notes, error.help]
    return output.redact("\n".join(line for line in lines if line))
