"""The columns that tell where the rows of a seed's table come from: when they were loaded, from which seed and file.

Knows Arrow readers and an engine's text rules; the file is named as the project names it, never by its place on a disk.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from flowforge.contract import Dialect
from flowforge.errors import SeedError, UnsupportedError
from flowforge.frozen import frozen
from flowforge.project.manifest import Node, SeedBody
from flowforge.values import Location

if TYPE_CHECKING:
    import pyarrow as pa

LOADED_AT, SEED_ID, SEED_FILE = NAMES = ("_ff_loaded_at", "_ff_seed_id", "_ff_seed_file")
_INNER = "__ff_seed"


@frozen
class Origin:
    """Where the rows of one load come from.

    Parameters
    ----------
    at:
        A time in UTC, as the engine can hold it: with its zone, without one, or as text.
    """

    at: dt.datetime | str
    seed: str
    path: str

    @classmethod
    def of(cls, node: Node, dialect: Dialect) -> Origin | None:
        """The origin of what is loaded now; ``None`` when the seed does not ask for it."""
        body = node.body
        if not isinstance(body, SeedBody) or not body.loaded_columns:
            return None
        now = dt.datetime.now(dt.UTC)
        return cls(
            next(form for form in (now, now.replace(tzinfo=None), now.isoformat(" ")) if _holds(dialect, form)),
            body.id,
            node.path,
        )

    def beside(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """The rows of *reader* with the columns behind its own.

        Raises
        ------
        SeedError
            When the file has a column of such a name.
        """
        import pyarrow as pa

        for name in reader.schema.names:
            if name.casefold() in NAMES:
                raise SeedError(
                    f"the seed has a column {name!r}, and `loaded_columns` adds one of that name",
                    code="FF2215",
                    location=Location(self.path),
                    help="rename the column, or remove `loaded_columns` from the seed's settings",
                )
        fields = (
            pa.field(LOADED_AT, _type_of(self.at)),
            pa.field(SEED_ID, pa.string()),
            pa.field(SEED_FILE, pa.string()),
        )
        values = [pa.scalar(value, field.type) for value, field in zip(attrs.astuple(self), fields, strict=True)]
        schema = pa.schema([*reader.schema, *fields])

        def rows() -> Iterator[pa.RecordBatch]:
            for batch in reader:
                more = [pa.repeat(value, len(batch)) for value in values]
                yield pa.RecordBatch.from_arrays([*batch.columns, *more], schema=schema)

        return pa.RecordBatchReader.from_batches(schema, rows())

    def around(self, select: str, dialect: Dialect) -> tuple[str, int]:
        """The query *select* with the columns behind its own, and how many characters stand in front of it."""
        more = ", ".join(
            f"{dialect.literal(value)} AS {dialect.quote(name)}"
            for value, name in zip(attrs.astuple(self), NAMES, strict=True)
        )
        inner = dialect.quote(_INNER)
        head = f"SELECT {inner}.*, {more} FROM (\n"
        return f"{head}{select}\n) AS {inner}", len(head)


def _type_of(at: dt.datetime | str) -> pa.DataType:
    import pyarrow as pa

    if isinstance(at, str):
        return pa.string()
    return pa.timestamp("us", "UTC" if at.tzinfo is not None else None)


def _holds(dialect: Dialect, at: dt.datetime | str) -> bool:
    if isinstance(at, str):
        return True
    try:
        dialect.type_name(_type_of(at))
        dialect.literal(at)
    except (UnsupportedError, TypeError):
        return False
    return True
