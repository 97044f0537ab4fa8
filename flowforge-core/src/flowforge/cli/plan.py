"""Prints what a run would do: the answer to ``--dry-run``."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from flowforge.cli.changes import visible
from flowforge.cli.output import Output
from flowforge.errors import shown

if TYPE_CHECKING:
    from flowforge.run.plan import Plan

_TOTALS = {"build": "to build", "maybe": "to build if what they read changes", "skip": "up to date"}


def print_plan(plan: Plan, output: Output) -> None:
    """One line (or JSON object) a node to stdout, in plan order, and the totals; with -q not what is up to date."""
    counts = Counter(step.action.value for step in plan.steps.values())
    if output.log_format == "json":
        for step in plan.steps.values():
            record = {
                "version": 1,
                "event": "plan_node",
                "node": step.node.short_name,
                "action": step.action.value,
                "reason": step.reason,
                "details": list(step.details),
                "kind": step.node.kind.value,
                "materialized": step.node.materialized,
                "relation": str(step.relation),
                **({"prunes": step.prunes} if step.prunes is not None else {}),
                "windows": [[window.start.isoformat(), window.end.isoformat()] for window in step.windows],
            }
            output.answer(json.dumps(record, ensure_ascii=False))
        output.answer(
            json.dumps({"version": 1, "event": "plan_summary", "counts": {key: counts[key] for key in _TOTALS}})
        )
        return
    width = min(40, max((len(step.node.short_name) for step in plan.steps.values()), default=0))
    for step in plan.steps.values():
        if output.verbosity < 0 and step.action.value == "skip":
            continue
        output.answer(f"{step.action.value:<5}  {step.node.short_name:<{width}}  {shown(step.reason)}".rstrip())
        if output.verbosity >= 1:
            for line in step.details:
                output.answer(f"         {visible(line)}")
    for step in plan.steps.values():
        if step.prunes is not None:
            versions = "1 old version" if step.prunes == 1 else f"{step.prunes} old versions"
            output.answer(f"prune  {step.node.short_name:<{width}}  {versions} would go")
    totals = ", ".join(f"{counts[key]} {words}" for key, words in _TOTALS.items() if counts[key])
    output.answer(f"dry run: {totals or 'nothing to do'}")
