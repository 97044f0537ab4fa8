"""Goes on where the last run stopped: how a run was called, and what of it is still to be done."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from flowforge.api.history import last_run
from flowforge.config.secrets import is_secret_name
from flowforge.errors import Note, StateError
from flowforge.events import Status
from flowforge.frozen import frozen
from flowforge.project.windows import Window, parse_moment
from flowforge.run.options import RunOptions
from flowforge.run.scheduler import FailPolicy
from flowforge.state.policy import CacheMode
from flowforge.state.records import RunRecord

if TYPE_CHECKING:
    from flowforge.api.project import Project

_LONG = 1e9  # seconds; what is longer was not written by FlowForge
_OPEN = (Status.ERROR, Status.FAIL, Status.SKIPPED, Status.CANCELLED)


@frozen
class Retry:
    """What is left of a run that did not end well.

    Parameters
    ----------
    names:
        Full names of the nodes that failed, were skipped or cancelled, or never ended; those that still exist, in the
        order of the DAG.
    options:
        As the run had them.
    vars:
        Variables that were given to it.
    withheld:
        Names of variables whose values were not kept, because they are secret or no plain data.
    engine:
        The engine that was asked for besides the profile's.
    """

    run_id: str
    command: str
    names: tuple[str, ...]
    options: RunOptions
    vars: Mapping[str, Any] = attrs.field(factory=dict)
    withheld: tuple[str, ...] = ()
    engine: str | None = None
    notes: tuple[Note, ...] = ()


def remember(project: Project, options: RunOptions) -> Mapping[str, Any]:
    """How a run is called, as the memory of runs keeps it: plain values without secrets."""
    redact = project.redactor.redact
    kept, withheld = {}, []
    for name, value in project.given_vars.items():
        try:
            text = json.dumps(value)
            plain = json.loads(text) == value and redact(text) == text and not is_secret_name(name)
        except (TypeError, ValueError):
            plain = False
        if plain:
            kept[name] = value
        else:
            withheld.append(name)
    return {
        "jobs": options.jobs,
        "policy": options.policy.value,
        "timeout": options.timeout,
        "lock_timeout": options.lock_timeout,
        "cache": options.cache.value,
        "rebuild": list(options.rebuild),
        "full_refresh": options.full_refresh,
        "keep_last": options.keep_last,
        "unit_tests": options.unit_tests,
        "assume_unchanged": options.assume_unchanged,
        "event_time_start": options.event_time_start.isoformat() if options.event_time_start else None,
        "event_time_end": options.event_time_end.isoformat() if options.event_time_end else None,
        "vars": kept,
        "withheld": withheld,
        "engine": project.given_engine,
    }


def recall(record: Mapping[str, Any]) -> RunOptions:
    """The options that :func:`remember` noted; what cannot be read is as if it had not been given."""
    policy, cache, rebuild = record.get("policy"), record.get("cache"), record.get("rebuild")
    jobs, default = _number(record.get("jobs")), RunOptions()
    keep_last = _number(record.get("keep_last"))
    return RunOptions(
        jobs=int(jobs) if jobs and 1 <= jobs <= 1024 else None,
        policy=next((one for one in FailPolicy if one.value == policy), default.policy),
        timeout=_number(record.get("timeout")) or None,
        lock_timeout=_number(record.get("lock_timeout", default.lock_timeout)),
        cache=next((mode for mode in CacheMode if mode.value == cache), default.cache),
        rebuild=tuple(name for name in rebuild if isinstance(name, str)) if isinstance(rebuild, list) else (),
        full_refresh=record.get("full_refresh") is True,
        assume_unchanged=record.get("assume_unchanged") is True,
        unit_tests=record.get("unit_tests") is not False,
        keep_last=int(keep_last) if keep_last and keep_last >= 1 else None,
        event_time_start=_moment(record.get("event_time_start")),
        event_time_end=_moment(record.get("event_time_end")),
    )


def _moment(value: Any) -> dt.datetime | None:
    try:
        return parse_moment(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LONG:
        return None
    return float(value)


def find_retry(project: Project) -> Retry | None:
    """What is left to do of the last run under the project's profile; ``None`` when it ended well, or there is none.

    Raises
    ------
    StateError
        ``FF2343`` when that run still goes on.
    """
    last = last_run(project)
    record, notes = last.record, last.notes
    if record is None or record.exit_code == 0:
        return None
    if last.alive:
        raise StateError(
            f"the run {record.run_id} still goes on (process {record.pid})",
            code="FF2343",
            help="wait until it has ended; what it leaves undone can be retried then",
        )
    manifest = project.manifest
    names = [name for name in open_nodes(record) if name in manifest.nodes]
    gone = [name for name in open_nodes(record) if name not in manifest.nodes]
    if gone:
        some = ", ".join(name.removesuffix(".ff") for name in gone[:3]) + (" and others" if len(gone) > 3 else "")
        notes = (*notes, Note(f"no longer in the project, so not retried: {some}", "FF2344"))
    options, vars_, withheld = recall(record.options), record.options.get("vars"), record.options.get("withheld")
    engine = record.options.get("engine")
    settings = [manifest.nodes[name].config.incremental for name in names]
    if not any(one is not None and one.in_windows for one in settings):
        options = attrs.evolve(options, event_time_start=None, event_time_end=None)
    return Retry(
        run_id=record.run_id,
        command=record.command,
        names=project.dag.ordered(names),
        options=attrs.evolve(
            options,
            rebuild=tuple(name for name in options.rebuild if name in names),
            windows=_failed_windows(record, names),
        ),
        vars=vars_ if isinstance(vars_, dict) else {},
        withheld=tuple(withheld) if isinstance(withheld, list) else (),
        engine=engine if isinstance(engine, str) else None,
        notes=notes,
    )


def _failed_windows(record: RunRecord, names: Collection[str]) -> Mapping[str, tuple[Window, ...]]:
    """The windows that failed, by node: nothing else of these nodes is left to do."""
    failed = {name: node.windows for name, node in record.nodes.items() if node.windows and name in names}
    return {name: tuple(Window(start, end) for start, end in windows) for name, windows in failed.items()}


def open_nodes(record: RunRecord) -> tuple[str, ...]:
    """The nodes of a run that did not end well, or of which no end is known."""
    return (*(name for name, node in record.nodes.items() if node.status in _OPEN), *record.never_finished)
