"""What the table formats of Spark can do. An engine's capabilities are those of its best formats; these are the limits."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import attrs


@attrs.frozen
class Format:
    """A table format.

    Parameters
    ----------
    changes_rows:
        UPDATE, DELETE and MERGE change rows of a table, each in one commit.
    replaces:
        A table can be overwritten, whatever its columns, in one commit. Without it a table of ours is a view, which is
        moved from one set of files to another: see :mod:`flowforge_spark.pointers`.
    """

    changes_rows: bool = False
    replaces: bool = False


FORMATS: Mapping[str, Format] = {
    "delta": Format(changes_rows=True, replaces=True),
    "iceberg": Format(changes_rows=True, replaces=True),
    "parquet": Format(),
    "orc": Format(),
    "avro": Format(),
    "json": Format(),
    "csv": Format(),
}


def format_of(name: str) -> Format:
    """The format called *name*, in any case.

    Raises
    ------
    ValueError
        When there is none, with a suggestion.
    """
    found = FORMATS.get(name.lower())
    if found is None:
        near = difflib.get_close_matches(name.lower(), FORMATS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"{name!r} is no table format that FlowForge knows ({', '.join(FORMATS)}){hint}")
    return found
