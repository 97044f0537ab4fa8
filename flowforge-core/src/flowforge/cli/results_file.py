"""A run's result as a JSON file for other programs: what became of nodes, checks and unit tests.

Keys are only added. The top of the file is what readers of dbt-shaped results expect; see the page on CI.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flowforge import __version__
from flowforge.cli.output import Output, error_as_data
from flowforge.cli.report_file import prepare_report, write_report
from flowforge.errors import FlowForgeError
from flowforge.run.result import CheckResult, NodeResult, RunResult, UnitTestResult
from flowforge.values import Location

FORMAT = "flowforge-results"
VERSION = 1
_OPTION = "--results"


def prepare_results(path: Path) -> None:
    """See :func:`~flowforge.cli.report_file.prepare_report`."""
    prepare_report(path, _OPTION)


def write_results(path: Path, result: RunResult, about: Mapping[str, str], output: Output) -> None:
    """Write what came of a run; the file is there as a whole or not at all.

    Parameters
    ----------
    about:
        The project, the profile (``env_name``) and the engine.

    Raises
    ------
    UsageError
        When the file cannot be written.
    """
    content = {
        **_head(result.run_id, result.command, about),
        "run_started_at": _moment(result.started_at),
        "run_finished_at": _moment(result.started_at + dt.timedelta(seconds=result.duration)),
        "exit_code": int(result.exit_code),
        "error": _error(result.error),
        "results": [_node(node) for node in result.nodes],
        "checks": [_check(check) for check in result.checks],
        "unit_tests": [_unit_test(test) for test in result.unit_tests],
        "notes": [
            {"code": note.code, "message": note.message, **_place(note.location), "help": note.help}
            for note in result.notes
        ],
    }
    write_report(path, _OPTION, _text(content, output))


def write_unit_results(
    path: Path,
    tests: Sequence[Mapping[str, object]],
    started: dt.datetime,
    exit_code: int,
    about: Mapping[str, str],
    output: Output,
) -> None:
    """Write what came of unit tests that were run alone, as :func:`write_results` does."""
    content = {
        **_head(None, "utest", about),
        "run_started_at": _moment(started),
        "run_finished_at": _moment(dt.datetime.now(dt.UTC)),
        "exit_code": exit_code,
        "error": None,
        "results": [],
        "checks": [],
        "unit_tests": tests,
        "notes": [],
    }
    write_report(path, _OPTION, _text(content, output))


def _head(run_id: str | None, command: str, about: Mapping[str, str]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "metadata": {
            "tool": "flowforge",
            "tool_version": __version__,
            "generated_at": _moment(dt.datetime.now(dt.UTC)),
            "run_id": run_id,
            "command": command,
            **about,
        },
    }


def _node(node: NodeResult) -> dict[str, Any]:
    return {
        "name": node.node,
        "kind": node.kind,
        "materialized": node.materialized,
        "relation": str(node.relation) if node.relation is not None else None,
        "status": node.status.value,
        "started_at": _moment(node.started_at),
        "finished_at": _moment(node.started_at + dt.timedelta(seconds=node.duration)),
        "duration_ms": _milliseconds(node.duration),
        "rows": node.rows,
        "bytes_scanned": node.bytes_scanned,
        "quarantined": node.quarantined,
        "blocked_by": node.blocked_by,
        "message": node.error.message if node.error is not None else None,
        "error": _error(node.error),
    }


def _check(check: CheckResult) -> dict[str, Any]:
    return {
        "name": check.check,
        "type": check.type,
        "node": check.node,
        "table": check.table,
        "column": check.column,
        "severity": check.severity,
        "tags": list(check.tags),
        "status": check.status.value,
        "duration_ms": _milliseconds(check.duration),
        "failures": check.failures,
        "rows": check.rows,
        "measure": check.measure,
        "message": check.message,
        "remark": check.remark,
        "stored": check.stored,
        "error": _error(check.problem),
        **_place(check.location),
    }


def _unit_test(test: UnitTestResult) -> dict[str, Any]:
    return {
        "name": test.case,
        "node": test.node,
        "status": test.status.value,
        "duration_ms": _milliseconds(test.duration),
        "differences": list(test.lines),
        "error": _error(test.error),
        **_place(test.location),
    }


def _error(error: FlowForgeError | None) -> Mapping[str, Any] | None:
    return error_as_data(error) if error is not None else None


def _place(place: Location | None) -> dict[str, Any]:
    return {"path": place.path if place is not None else None, "line": place.line if place is not None else None}


def _moment(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat(timespec="milliseconds")


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _text(content: Mapping[str, Any], output: Output) -> str:
    return json.dumps(_redacted(content, output), ensure_ascii=True) + "\n"


def _redacted(value: Any, output: Output) -> Any:
    """Before the texts are written, whose escapes would hide a secret from who looks for it."""
    if isinstance(value, str):
        return output.redact(value)
    if isinstance(value, Mapping):
        return {key: _redacted(item, output) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted(item, output) for item in value]
    if isinstance(value, float) and value - value != 0:  # JSON has no infinity
        return None
    return value
