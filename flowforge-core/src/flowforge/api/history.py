"""The selection methods ``state:`` and ``result:``: what changed since the last build, and how the last run ended."""

from __future__ import annotations

import difflib
import json
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from flowforge.errors import Note, SelectionError, UsageError
from flowforge.events import Status
from flowforge.frozen import frozen
from flowforge.graph.methods import METHODS, Method
from flowforge.project.manifest import Manifest
from flowforge.state.process import is_gone
from flowforge.state.records import RunRecord
from flowforge.state.store import StateStore

if TYPE_CHECKING:
    from flowforge.api.project import Project

STATE_WORDS = ("modified", "modified.body", "modified.configs", "modified.relation", "new", "old", "unmodified")
_NEW = frozenset({"new", *(word for word in STATE_WORDS if word.startswith("modified"))})
_SAME = frozenset({"old", "unmodified"})
RESULT_WORDS = ("cached", "cancelled", "error", "fail", "ok", "skipped", "success", "warn")
BUILDING = ("run", "build", "seed")
"""The commands whose runs ``result:`` and ``retry`` look at."""


def methods_of(project: Project, manifest_file: Path | None) -> Mapping[str, Method]:
    """All selection methods of a loaded project.

    Parameters
    ----------
    manifest_file:
        What ``state:`` compares with, in place of the last builds.
    """
    return {**METHODS, **_History(project, manifest_file).methods}


@frozen
class LastRun:
    """The latest run of a profile that built something, if any is known.

    Parameters
    ----------
    alive:
        True when it has not ended, and its process seems to be at work on this machine.
    notes:
        Warnings about the memory of runs.
    """

    record: RunRecord | None
    alive: bool
    notes: tuple[Note, ...]


def last_run(project: Project) -> LastRun:
    """Look the latest run of the project's profile up; nothing is written."""
    host = socket.gethostname()
    with _Store(project) as (store, notes):
        record = store.last_run(project.profile.name, BUILDING)
        alive = (
            record is not None
            and record.finished_at is None
            and record.host == host
            and record.run_id not in {run.run_id for run in store.unfinished_runs(host)}
            and record.pid != os.getpid()  # containers give the same ids again
            and not is_gone(record.pid, record.birth)
        )
        return LastRun(record, alive, tuple(notes))


class _Store:
    """The project's memory, opened to read."""

    def __init__(self, project: Project) -> None:
        self._notes: list[Note] = []
        self._store = StateStore.open(project.root / ".flowforge", self._notes.append, write=False)

    def __enter__(self) -> tuple[StateStore, list[Note]]:
        return self._store, self._notes

    def __exit__(self, *exc: object) -> None:
        self._store.close()


class _History:
    """Answers for one selection; what it needs is read when it is first asked for."""

    def __init__(self, project: Project, manifest_file: Path | None) -> None:
        self._project = project
        self._file = manifest_file
        self._states: Mapping[str, frozenset[str]] | None = None
        self._results: Mapping[str, frozenset[str]] | None = None

    @property
    def methods(self) -> Mapping[str, Method]:
        """The methods by name."""
        return {"state": self._by_state, "result": self._by_result}

    def _by_state(self, manifest: Manifest, key: str, value: str) -> frozenset[str]:
        """One of :data:`STATE_WORDS`; new nodes count as modified in every respect."""
        _check("state", key, value, STATE_WORDS)
        if self._states is None:
            self._states = self._from_file(self._file) if self._file is not None else self._from_store()
        return frozenset(name for name, words in self._states.items() if value in words)

    def _by_result(self, manifest: Manifest, key: str, value: str) -> frozenset[str]:
        """How a node ended in the last run; ``ok`` means ``success`` or ``cached``."""
        _check("result", key, value, RESULT_WORDS)
        if self._results is None:
            last = last_run(self._project)
            if last.record is None:
                raise _no_history(self._project, "no run", "result:", last.notes)
            self._results = _words_of(last.record, manifest)
        return frozenset(name for name, words in self._results.items() if value in words and name in manifest.nodes)

    def _from_file(self, path: Path) -> Mapping[str, frozenset[str]]:
        from flowforge.api.changes import is_changed
        from flowforge.api.comparison import load_manifest_file
        from flowforge.api.described import describe

        before, after = load_manifest_file(self._project, path), describe(self._project)
        return {
            name: _NEW
            if (old := before.nodes.get(name)) is None
            else _state_words(old, node, changed=is_changed(old, node))
            for name, node in after.nodes.items()
        }

    def _from_store(self) -> Mapping[str, frozenset[str]]:
        from flowforge.api.preparation import definer_of

        with _Store(self._project) as (store, notes):
            noted = store.last_builds(self._project.profile.name)
        if not noted:
            raise _no_history(self._project, "no build", "state:", notes)
        definer, words = definer_of(self._project, judge=False), {}
        for name, node in self._project.manifest.nodes.items():
            if node.materialized == "ephemeral":
                words[name] = _SAME  # it is part of the text of its readers, and never built itself
            elif (old := noted.get(name)) is None:
                words[name] = _NEW
            else:
                now = definer.of(name)
                changed = now.digest != old.definition
                words[name] = _state_words(old, now.whole() if changed else now, changed=changed)
        return words


class _Made(Protocol):
    """What a node is made from, as far as it is compared in parts."""

    @property
    def sql(self) -> str | None: ...
    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def files(self) -> Mapping[str, str]: ...


def _state_words(old: _Made, now: _Made, *, changed: bool) -> frozenset[str]:
    """The words for a node that was there before."""
    if not changed:
        return _SAME
    before, after = _plain_data(old.config), _plain_data(now.config)
    differing = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    parts = {
        "modified.body": old.sql != now.sql or dict(old.files) != dict(now.files),
        "modified.configs": bool(differing - {"relation"}),
        "modified.relation": "relation" in differing,
    }
    return frozenset({"modified", "old", *(word for word, found in parts.items() if found)})


def _plain_data(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings as they come back from a file."""
    plain: Mapping[str, Any] = json.loads(json.dumps(dict(config), default=str))
    return plain


def _words_of(record: RunRecord, manifest: Manifest) -> Mapping[str, frozenset[str]]:
    """By node, the words that fit how it ended; checks that failed or warned count for their node."""

    def found() -> Iterator[tuple[str, str]]:
        for name, node in record.nodes.items():
            yield name, node.status.value
            if node.status in (Status.SUCCESS, Status.CACHED):
                yield name, "ok"
        for name in record.never_finished:
            yield name, "cancelled"
        for check in manifest.checks:
            status = record.checks.get(check.id)
            if status in (Status.FAIL, Status.WARN, Status.ERROR):
                for subject in check.subjects:
                    yield subject, status.value

    words: dict[str, set[str]] = {}
    for name, word in found():
        words.setdefault(name, set()).add(word)
    return {name: frozenset(some) for name, some in words.items()}


def _check(method: str, key: str, value: str, known: Iterable[str]) -> None:
    if key:
        raise UsageError(f"{method}: takes no setting, but got {key!r}", code="FF6402", help=f"write {method}:VALUE")
    if value not in known:
        close = difflib.get_close_matches(value, known, n=1)
        raise UsageError(
            f"{method}: knows no {value!r}",
            code="FF6404",
            help=f"did you mean {method}:{close[0]}?" if close else f"one of {', '.join(known)}",
        )


def _no_history(project: Project, what: str, method: str, notes: Iterable[Note]) -> SelectionError:
    other = " or give `--state FILE`" if method == "state:" else ""
    return SelectionError(
        f"{method} compares with earlier runs, but {what} under the profile {project.profile.name!r} is known here",
        code="FF5003",
        help=f"run `flowforge build` first{other}; the memory of runs is .flowforge/state.db in the project",
        notes=[note.message for note in notes],
    )
