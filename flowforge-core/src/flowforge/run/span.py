"""Which windows a run is to build: those that the user named, or those that a table lacks at a moment.

Nothing is asked of a clock or a database here, so that every answer can be tested.
"""

from __future__ import annotations

import bisect
import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Mapping

import attrs

from flowforge.errors import ModelExecutionError
from flowforge.frozen import frozen
from flowforge.project.manifest import Incremental, Node
from flowforge.project.windows import Window, parse_moment, window_of, windows_between
from flowforge.state.windows import WindowNote
from flowforge.values import Location

_SHOWN = 5


@frozen
class Span:
    """What is known of time when a run begins, in UTC.

    Parameters
    ----------
    now:
        The moment of the run.
    start, end:
        Build the windows that have a part in this time, and no others; either may be open.
    only:
        Build these windows of a node, and no others, by the node's name.
    """

    now: dt.datetime = attrs.field(factory=lambda: dt.datetime.now(dt.UTC))
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    only: Mapping[str, tuple[Window, ...]] = attrs.field(factory=dict)

    def names_windows(self, node: Node) -> bool:
        """Whether windows of *node* were named."""
        settings = node.config.incremental
        if settings is None or not settings.in_windows:
            return False
        if node.name in self.only:
            return bool(self.named(node))
        return self.start is not None or self.end is not None

    def named(self, node: Node) -> tuple[Window, ...]:
        """The windows of *node* that were named, those that it has; ascending."""
        windows = all_windows(node, self.now)
        if node.name in self.only:
            chosen = frozenset(self.only[node.name])
            strange = chosen.difference(windows)  # of another size than now
            touches = _touching(strange)
            return tuple(window for window in windows if window in chosen or touches(window))
        return tuple(
            window
            for window in windows
            if (self.start is None or self.start < window.end) and (self.end is None or window.start < self.end)
        )


def _touching(others: Iterable[Window]) -> Callable[[Window], bool]:
    """Tells whether a window overlaps one of *others*, of which there may be as many as there are windows."""
    ascending = sorted(others)
    starts = [other.start for other in ascending]
    ends = list(itertools.accumulate((other.end for other in ascending), max))

    def touches(window: Window) -> bool:
        begun = bisect.bisect_left(starts, window.end)
        return begun > 0 and ends[begun - 1] > window.start

    return touches


def settings_of(node: Node) -> Incremental:
    """The settings of a model that is built in windows."""
    settings = node.config.incremental
    assert settings is not None
    return settings


def all_windows(node: Node, now: dt.datetime) -> tuple[Window, ...]:
    """The windows of *node* that have begun, the first to the last.

    Raises
    ------
    ModelExecutionError
        When none has.
    """
    settings = settings_of(node)
    assert settings.begin is not None
    assert settings.batch_size is not None
    windows = tuple(windows_between(parse_moment(settings.begin), newest_window(node, now).end, settings.batch_size))
    if not windows:
        raise ModelExecutionError(
            f"no window of {node.short_name!r} has begun: it begins at {settings.begin}, and now it is {now.isoformat()}",
            node=node.name,
            code="FF2041",
            location=Location(node.path),
            help="correct `begin`, which is in UTC",
        )
    return windows


def example_window(node: Node) -> Window:
    """A window that does not depend on the time, to tell whether a model's query has changed."""
    settings = settings_of(node)
    assert settings.begin is not None
    assert settings.batch_size is not None
    return window_of(parse_moment(settings.begin), settings.batch_size)


def newest_window(node: Node, now: dt.datetime) -> Window:
    """The window that *now* is in."""
    size = settings_of(node).batch_size
    assert size is not None
    return window_of(now, size)


def is_late(node: Node, windows: tuple[Window, ...], notes: Mapping[Window, WindowNote]) -> Callable[[Window], bool]:
    """Tells whether rows of a window may still have come in since it was built: the newest ones, and unfinished ones."""
    settings = settings_of(node)
    recent = frozenset(windows[-1 - settings.lookback :])
    return lambda window: window in recent or (window in notes and not notes[window].is_whole)


def lacking(node: Node, windows: tuple[Window, ...], notes: Mapping[Window, WindowNote]) -> tuple[Window, ...]:
    """The windows to build: all that were not built, that had not ended when they were, and the newest ones.

    Parameters
    ----------
    windows:
        All windows, ascending.
    notes:
        Of those that were built.
    """
    late = is_late(node, windows, notes)
    return tuple(window for window in windows if window not in notes or late(window))


def listed(windows: tuple[Window, ...]) -> str:
    """The windows in a line, neighbours as a range: ``5 windows: 2024-01-01 to 2024-01-04, 2024-01-09``."""
    runs: list[list[Window]] = []
    for window in windows:
        if runs and runs[-1][-1].end == window.start:
            runs[-1].append(window)
        else:
            runs.append([window])
    words = [f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    some = ", ".join(words[:_SHOWN]) + (f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else "")
    return f"{len(windows)} window{'' if len(windows) == 1 else 's'}: {some}"
