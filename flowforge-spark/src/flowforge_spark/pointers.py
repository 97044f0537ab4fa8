"""Tables of formats that cannot be overwritten in one step, such as parquet.

Such a table is a view of one line over a table of its rows. Putting new rows in place means that the view's text is
changed, which every catalogue does in one step, whatever the columns are: a reader finds the old rows or the new ones,
and so does the next run after a kill. The rows before the present ones stay until the next replacement, for readers
that have already begun. Tables of rows have names of staging relations: what a killed run leaves behind is found by
that, and hidden is only what a view needs.
"""

from __future__ import annotations

import re
import uuid

import attrs

from flowforge_spark.dialect import exactly

_TEXT = re.compile(
    r"SELECT /\* rows by flowforge(?:, before: (?P<before>\w+))? \*/ \* FROM (?:`[^`]*`\.)*`(?P<rows>\w+)`"
)
_RUN = re.compile(r"flowforge/([^/]+)")
_OTHER = re.compile(r"[^0-9a-z_]+")


@attrs.frozen
class Pointer:
    """What a view of ours points at.

    Parameters
    ----------
    rows:
        The name of the table with the present rows, beside the view.
    before:
        The name of the one that it pointed at before.
    """

    rows: str
    before: str | None = None

    def text(self, place: str) -> str:
        """The view's query; *place* is the schema as it stands in SQL, with a dot behind it."""
        before = f", before: {self.before}" if self.before else ""
        return f"SELECT /* rows by flowforge{before} */ * FROM {place}{exactly(self.rows)}"


def pointer_in(text: str) -> Pointer | None:
    """The pointer that a view's query is; ``None``: it is any other query."""
    found = _TEXT.fullmatch(text.strip())
    return Pointer(found["rows"], found["before"]) if found else None


def new_rows(label: str) -> str:
    """A name for a table of rows that the session called *label* writes."""
    run = _RUN.match(label)
    word = _OTHER.sub("", run[1].lower()) if run else ""
    return f"ff__rows__{uuid.uuid4().hex[:10]}__{word or 'nobody'}"


def is_rows(name: str) -> bool:
    """Whether a table has a name that :func:`new_rows` gave it."""
    return re.fullmatch(r"ff__rows__[0-9a-f]{10}__\w+", name) is not None
