"""Shows a run while it happens: one line a finished node, and on a terminal a live table of the running ones."""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from flowforge.cli.output import Output
from flowforge.events import (
    CheckFinished,
    Event,
    NodeFinished,
    NodeStarted,
    RunFinished,
    RunStarted,
    Status,
    UnitTestFinished,
)
from flowforge.values import Relation

_MARKS = {
    Status.SUCCESS: ("✓", "ok", "good"),
    Status.ERROR: ("✗", "ERROR", "error"),
    Status.FAIL: ("✗", "FAIL", "error"),
    Status.WARN: ("!", "warn", "warning"),
    Status.INFO: ("i", "info", "dim"),
    Status.SKIPPED: ("-", "skip", "dim"),
    Status.CACHED: ("=", "same", "dim"),
    Status.CANCELLED: ("-", "stop", "warning"),
}


def mark(status: Status, output: Output) -> str:
    """The coloured sign of a status; a word where the terminal cannot show signs."""
    sign, word, role = _MARKS[status]
    return output.style(sign if output.unicode else f"{word:5}", role)


def duration(seconds: float) -> str:
    """``12ms``, ``3.4s`` or ``2m05s``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}s"
    return f"{int(seconds // 60)}m{int(seconds % 60):02d}s"


_NAME = 48  # columns that the longest name may claim in front of all others
_REST = 48  # columns around it


class Console:
    """Listens to a run. Events come one at a time, from any thread.

    Lines are aligned where they fit; on a narrow terminal they are as short as they can be.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._running: dict[str, tuple[str, float]] = {}
        self._width = 32
        self._columns = shutil.get_terminal_size((120, 24)).columns
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def show(self) -> Iterator[None]:
        """While the block runs, a terminal gets the live table."""
        output = self._output
        if output.log_format == "text" and output.verbosity >= 0 and output.stderr.isatty() and output.color_err:
            from rich.console import Console as RichConsole
            from rich.live import Live
            from rich.text import Text

            terminal = RichConsole(file=output.stderr, highlight=False)
            with Live(console=terminal, refresh_per_second=8, transient=True, get_renderable=self._table):
                output.above = lambda text: terminal.print(Text.from_ansi(text), soft_wrap=True)
                try:
                    yield
                finally:
                    output.above = None
        else:
            yield

    def _table(self) -> Any:
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        with self._lock:
            running = list(self._running.values())
        for name, since in running[:20]:
            table.add_row(f"  {'▸' if self._output.unicode else '>'}", name, duration(time.monotonic() - since))
        return table

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if self._output.log_format == "json":
            self._output.record(*_as_record(event))
        elif isinstance(event, RunStarted):
            self._width = min(_NAME, max((len(short_name(name)) for name in event.nodes), default=0))
            where = f" ({event.namespace})" if event.namespace else ""
            self._say(f"{event.command} {event.project} on {event.engine}{where}, {event.jobs} jobs", level=1)
        elif isinstance(event, NodeStarted):
            with self._lock:
                self._running[event.node_run_id] = (event.node, time.monotonic())
            self._say(f"  started {event.node}", level=1)
        elif isinstance(event, NodeFinished):
            with self._lock:
                self._running.pop(event.node_run_id, None)
            self._node(event)
        elif isinstance(event, UnitTestFinished):
            self._say(f"  {mark(event.status, self._output)} unit test {event.case}", level=1)
        elif isinstance(event, CheckFinished) and event.status in (Status.WARN, Status.INFO):
            self._say(f"  {mark(event.status, self._output)} {event.check}: {event.message}")
        elif isinstance(event, CheckFinished) and event.remark:
            self._say(f"  {mark(event.status, self._output)} {event.check}: {event.remark}")

    def _node(self, event: NodeFinished) -> None:
        width = len(str(event.total))
        rows = f"{event.rows:,} rows" if event.rows is not None else ""
        if event.status is Status.SUCCESS:
            cells = [f"{event.materialized:<9} {rows:>16}", f"{duration(event.duration):>6}", event.message or ""]
        elif event.status is Status.CACHED:
            cells = ["unchanged"]
        elif event.status is Status.SKIPPED:
            cells = [event.message or "not run"]
        elif event.status is Status.CANCELLED:
            cells = ["cancelled"]
        else:
            cells = [(event.message or "").split("\n", 1)[0]]
        sign = mark(event.status, self._output)
        line = "  ".join([f"{event.index:>{width}}/{event.total} {event.node:<{self._width}}", *cells]).rstrip()
        if self._columns < self._width + _REST:
            line = " ".join(line.split())
        self._say(f"{sign} {line}", level=1 if event.status in (Status.SKIPPED, Status.CACHED) else 0)

    def _say(self, text: str, *, level: int = 0) -> None:
        self._output.say(text, level=level)


def _as_record(event: Event) -> tuple[str, Mapping[str, Any]]:
    names = {
        RunStarted: "run_started",
        NodeStarted: "node_started",
        NodeFinished: "node_finished",
        CheckFinished: "check_finished",
        UnitTestFinished: "unit_test_finished",
        RunFinished: "summary",
    }
    data = {key: plain(value) for key, value in attrs.asdict(event, recurse=False).items()}
    if isinstance(event, RunStarted):
        data["nodes"] = [short_name(name) for name in event.nodes]
    elif isinstance(event, CheckFinished) and event.node is not None:
        data["node"] = short_name(event.node)
    return names[type(event)], data


def short_name(name: str) -> str:
    """A node's name as people write it."""
    return name.removesuffix(".ff")


def plain(value: Any) -> Any:
    """A value of an event or result as JSON can hold it."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Relation):
        return str(value)
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value
