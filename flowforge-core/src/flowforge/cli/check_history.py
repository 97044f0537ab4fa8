"""What ``flowforge test --history`` prints: one line of signs for each check, or one JSON object."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from flowforge.checks.anomalies import shown
from flowforge.cli.output import Output
from flowforge.events import Status
from flowforge.project.own_checks import SINGULAR

if TYPE_CHECKING:
    from flowforge.api.check_history import CheckHistories, PastOfCheck
    from flowforge.state.check_results import PastResult

_SIGNS = {
    Status.SUCCESS: ("✓", ".", "pass"),
    Status.FAIL: ("✗", "F", "fail"),
    Status.ERROR: ("E", "E", "could not run"),
    Status.WARN: ("!", "!", "warn"),
    Status.INFO: ("i", "i", "info"),
    Status.SKIPPED: ("-", "-", "not asked"),
}
_WORDS = {
    Status.FAIL: "fails",
    Status.ERROR: "cannot run",
    Status.WARN: "warns",
    Status.INFO: "notices something",
    Status.SKIPPED: "was not asked",
}


def print_histories(found: CheckHistories, profile: str, engine: str, shape: str, output: Output) -> None:
    """Print the histories of checks.

    Parameters
    ----------
    shape:
        ``text`` or ``json``.
    """
    for note in found.notes:
        output.note(note)
    if shape == "json":
        for one in found.checks:
            output.answer(json.dumps(_data(one), ensure_ascii=False))
        return
    if not any(one.results for one in found.checks):
        output.answer(f"No results of these checks are known under the profile {profile!r} on {engine}.")
        output.say("help: `flowforge test` and `flowforge build` note them in .flowforge/state.db of the project")
        return
    used = {result.status for one in found.checks for result in one.results}
    legend = ", ".join(f"{_sign(status, output)} {_SIGNS[status][2]}" for status in _SIGNS if status in used)
    output.answer(f"Results of checks under the profile {profile!r} on {engine}, newest on the right ({legend})")
    output.answer("")
    width = max(len(one.results) for one in found.checks)
    names = [(one.check.type, _target(one)) for one in found.checks]
    doubled = {name for name, count in Counter(names).items() if count > 1}
    names = [
        (type_, f"{target} ({one.check.id})" if (type_, target) in doubled else target)
        for one, (type_, target) in zip(found.checks, names, strict=True)
    ]
    types, targets = (max(len(name[part]) for name in names) for part in (0, 1))
    for one, (type_, target) in zip(found.checks, names, strict=True):
        signs = "".join(_sign(result.status, output) for result in one.results)
        output.answer(f"{signs:>{width}}  {type_:<{types}}  {target:<{targets}}  {_words(one)}".rstrip())
        numbers = [shown(result.measure) if result.measure is not None else "-" for result in one.results]
        if output.verbosity >= 1 and any(result.measure is not None for result in one.results):
            output.answer(f"{'':{width}}  {'↳' if output.unicode else '->'} measured {'; '.join(numbers)}")
        last = one.results[-1] if one.results else None
        if last is not None and last.message:
            output.answer(f"{'':{width}}  {'↳' if output.unicode else '->'} {last.message.split(chr(10), 1)[0]}")


def _sign(status: Status, output: Output) -> str:
    return _SIGNS.get(status, ("?", "?", ""))[0 if output.unicode else 1]


def _target(one: PastOfCheck) -> str:
    check = one.check
    if check.type == SINGULAR:
        return check.id
    table = check.table.removesuffix(".ff")
    return f"{table}.{check.column}" if check.column else table


def _words(one: PastOfCheck) -> str:
    if not one.results:
        return "no result yet"
    last = one.results[-1]
    if last.status is Status.SUCCESS:
        bad = [result for result in one.results if result.status in (Status.FAIL, Status.ERROR, Status.WARN)]
        return f"passes{f', last {_SIGNS[bad[-1].status][2]} {_moment(bad[-1])}' if bad else ''}"
    since = f" since {_moment(one.since)}" if one.since is not None else ""
    count = f" ({last.failures:,} {'failure' if last.failures == 1 else 'failures'})" if last.failures else ""
    passed = f"last passed {_moment(one.passed)}" if one.passed is not None else "never passed"
    return f"{_WORDS.get(last.status, last.status.value)}{since}{count}, {passed}"


def _moment(result: PastResult) -> str:
    """A time for people: UTC, as all times of FlowForge."""
    return result.at.strftime("%Y-%m-%d %H:%M")


def _data(one: PastOfCheck) -> dict[str, Any]:
    check = one.check
    return {
        "check": check.id,
        "type": check.type,
        "table": check.table.removesuffix(".ff"),
        "column": check.column,
        "severity": check.severity,
        "status": one.status.value if one.status is not None else None,
        "failing_since": _iso(one.since.at) if one.since is not None else None,
        "last_passed": _iso(one.passed.at) if one.passed is not None else None,
        "results": [_result_data(result) for result in one.results],
    }


def _result_data(result: PastResult) -> dict[str, Any]:
    return {
        "run_id": result.run_id,
        "command": result.command,
        "at": _iso(result.at),
        "status": result.status.value,
        "severity": result.severity,
        "failures": result.failures,
        "rows": result.rows,
        "measure": result.measure,
        "counts": result.counts,
        "duration": result.duration,
        "message": result.message,
    }


def _iso(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="seconds")
