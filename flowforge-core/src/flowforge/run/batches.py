"""The window that a model is built for: which rows of its inputs it reads, and what its template sees of it."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from flowforge.contract import Dialect
from flowforge.frozen import frozen
from flowforge.materialize.moments import TimeKind, within
from flowforge.project.manifest import Manifest, Source
from flowforge.project.windows import Window


@frozen
class Batch:
    """The window for which a model is rendered.

    Parameters
    ----------
    kinds:
        What the columns hold by which inputs are filtered, by the name of a node or the id of a source; timestamps
        without a time zone where nothing is said.
    """

    window: Window
    kinds: Mapping[str, TimeKind] = attrs.field(factory=dict)

    def condition(self, dialect: Dialect, column: str, input_: str) -> str:
        """The condition under which a row of *input_* is in the window."""
        return within(dialect, dialect.quote(column), self.window, self.kinds.get(input_, TimeKind.PLAIN))


@frozen
class BatchBounds:
    """What ``batch`` is in a template: the bounds as texts in UTC, or ``None`` when no window is built."""

    event_time_start: str | None = None
    event_time_end: str | None = None

    @classmethod
    def of(cls, batch: Batch | None) -> BatchBounds:
        """The bounds of a window."""
        if batch is None:
            return cls()
        moments = (batch.window.start, batch.window.end)
        return cls(*(moment.replace(tzinfo=None).isoformat(sep=" ") for moment in moments))


def event_time_of(source: Source, manifest: Manifest) -> str | None:
    """The column that says when a row of *source* happened; what a node of the project says counts for it too."""
    node = manifest.nodes[source.node] if source.node is not None else None
    return source.event_time or (node.config.event_time if node is not None else None)
