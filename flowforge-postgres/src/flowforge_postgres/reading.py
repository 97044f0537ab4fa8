"""From PostgreSQL's rows to Arrow: which type becomes which, and how values get there unchanged.

Values arrive as text, which every type has. What Arrow can parse itself stays text until it does; that is faster than
Python objects, and exact.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import abc, adapt, postgres
from psycopg.types import array as psycopg_array
from psycopg.types import bool as psycopg_bool
from psycopg.types import datetime as psycopg_datetime
from psycopg.types import numeric as psycopg_numeric
from psycopg.types import string as psycopg_string

from flowforge.errors import EngineError, ErrorKind

if TYPE_CHECKING:
    import pyarrow as pa

_OID = {info.name: info.oid for info in postgres.types}
_LOADERS: dict[str, type[adapt.Loader]] = {
    "bool": psycopg_bool.BoolLoader,
    "bytea": psycopg_string.ByteaLoader,
    "float4": psycopg_numeric.FloatLoader,
    "float8": psycopg_numeric.FloatLoader,
    "int2": psycopg_numeric.IntLoader,
    "int4": psycopg_numeric.IntLoader,
    "int8": psycopg_numeric.IntLoader,
    "oid": psycopg_numeric.IntLoader,
    "time": psycopg_datetime.TimeLoader,
}
_ANY = 0
_PARSED_BY_ARROW = {_OID[name] for name in ("numeric", "date", "timestamp", "timestamptz")}
_DIGITS, _SCALE = 76, 38
_HEADER = 4
_INTERVAL = re.compile(
    r"(?:(?P<years>-?\d+) years? ?)?(?:(?P<months>-?\d+) mons? ?)?(?:(?P<days>-?\d+) days? ?)?"
    r"(?:(?P<sign>-?)(?P<hours>\d+):(?P<minutes>\d\d):(?P<seconds>\d\d)(?:\.(?P<fraction>\d+))?)?"
)


class _IntervalLoader(adapt.Loader):
    """Months, days and nanoseconds, each kept apart as PostgreSQL does."""

    def load(self, data: Any) -> Any:
        import pyarrow as pa

        text = bytes(data).decode().replace("+", "")
        found = _INTERVAL.fullmatch(text)
        if found is None:
            raise psycopg.DataError(f"the interval {text} has no place in Arrow")
        part = {name: int(value or 0) for name, value in found.groupdict().items() if name not in ("sign", "fraction")}
        whole = (part["hours"] * 60 + part["minutes"]) * 60 + part["seconds"]
        nanoseconds = whole * 10**9 + int((found["fraction"] or "").ljust(9, "0"))
        return pa.MonthDayNano(
            (part["years"] * 12 + part["months"], part["days"], -nanoseconds if found["sign"] else nanoseconds)
        )


@functools.cache
def loaders() -> abc.AdaptContext:
    """How the driver turns text into Python values: few types are anything but text."""
    context = _Context()
    adapters = context.adapters
    adapters.register_loader(_ANY, psycopg_string.TextLoader)
    adapters.register_loader(_ANY, psycopg_string.ByteaBinaryLoader)  # never read, but looked for
    for name, loader in _LOADERS.items():
        adapters.register_loader(name, loader)
    adapters.register_loader("interval", _IntervalLoader)
    psycopg_array.register_all_arrays(context)
    return context


class _Context:
    """A place to register loaders at, without those that psycopg would bring."""

    def __init__(self) -> None:
        self.adapters = adapt.AdaptersMap(types=postgres.types)

    @property
    def connection(self) -> None:
        """There is none yet."""
        return None


def schema_of(result: psycopg.pq.abc.PGresult) -> pa.Schema:
    """The Arrow schema of a result."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field((result.fname(index) or b"").decode(), _arrow_type(result.ftype(index), result.fmod(index)))
            for index in range(result.nfields)
        ]
    )


def columns_of(result: psycopg.pq.abc.PGresult) -> tuple[list[str], list[tuple[int, int]]]:
    """The names of a result's columns, and PostgreSQL's numbers of their types with what modifies them."""
    places = range(result.nfields)
    names = [(result.fname(index) or b"").decode() for index in places]
    return names, [(result.ftype(index), result.fmod(index)) for index in places]


def types_of(result: psycopg.pq.abc.PGresult) -> list[int]:
    """PostgreSQL's numbers of the types of a result's columns."""
    return [result.ftype(index) for index in range(result.nfields)]


def batch_of(rows: Sequence[tuple[Any, ...]], schema: pa.Schema, oids: Sequence[int]) -> pa.RecordBatch:
    """Rows as one batch.

    Raises
    ------
    EngineError
        Of kind ``TYPE``, for a value that Arrow's type cannot hold exactly.
    """
    import pyarrow as pa

    columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
    arrays = []
    for values, field, oid in zip(columns, schema, oids, strict=True):
        try:
            arrays.append(_array(values, field.type, oid))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as exc:
            raise EngineError(
                f"a value of the column {field.name!r} does not fit into Arrow's {field.type}: "
                f"{str(exc).splitlines()[0]}",
                kind=ErrorKind.TYPE,
                help="cast the column in the query, for example to text or to numeric(38, 9)",
            ) from exc
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(values: Sequence[Any], type_: pa.DataType, oid: int) -> pa.Array:
    import pyarrow as pa

    if oid in _PARSED_BY_ARROW:
        return pa.array(values, pa.string()).cast(type_)
    if pa.types.is_list(type_) and _element(oid) in _PARSED_BY_ARROW:
        return pa.array(values, pa.list_(pa.string())).cast(type_)
    if pa.types.is_float32(type_):
        return pa.array(values, pa.float64()).cast(type_)
    return pa.array(values, type_)


@functools.cache
def _simple_types() -> dict[int, pa.DataType]:
    import pyarrow as pa

    named = {
        "bool": pa.bool_(),
        "bytea": pa.binary(),
        "date": pa.date32(),
        "float4": pa.float32(),
        "float8": pa.float64(),
        "int2": pa.int16(),
        "int4": pa.int32(),
        "int8": pa.int64(),
        "interval": pa.month_day_nano_interval(),
        "oid": pa.int64(),
        "time": pa.time64("us"),
        "timestamp": pa.timestamp("us"),
        "timestamptz": pa.timestamp("us", "UTC"),
    }
    return {_OID[name]: type_ for name, type_ in named.items()}


@functools.cache
def _elements() -> dict[int, int]:
    return {info.array_oid: info.oid for info in postgres.types if info.array_oid and type(info).__name__ == "TypeInfo"}


def _element(oid: int) -> int | None:
    return _elements().get(oid)


def _arrow_type(oid: int, modifier: int) -> pa.DataType:
    import pyarrow as pa

    if oid == _OID["numeric"]:
        return _decimal(modifier)
    element = _element(oid)
    if element is not None:
        return pa.list_(_arrow_type(element, modifier))
    return _simple_types().get(oid, pa.string())


def _decimal(modifier: int) -> pa.DataType:
    """A numeric without a declared size gets the largest type that holds whole numbers and fractions alike."""
    import pyarrow as pa

    if modifier < _HEADER:
        return pa.decimal256(_DIGITS, _SCALE)
    size = modifier - _HEADER
    precision, scale = (size >> 16) & 0xFFFF, ((size & 0x7FF) ^ 1024) - 1024
    if scale < 0:
        precision, scale = precision - scale, 0
    precision = max(precision, scale)
    if precision <= 38:
        return pa.decimal128(precision, scale)
    return pa.decimal256(precision, scale) if precision <= _DIGITS else pa.string()
