"""What a model may ask of its table: partitions, clusters, options, a description. Knows no service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowforge.contract import CreateKind, TableOptions
from flowforge.errors import UnsupportedError

if TYPE_CHECKING:
    from flowforge_bigquery.dialect import BigQueryDialect

GRANULARITY, RANGE = "partition_granularity", "partition_range"
_PASSED = frozenset(
    ["friendly_name", "kms_key_name", "labels", "partition_expiration_days", "require_partition_filter"]
)
_MOST_CLUSTERS = 4
_PARTS = ("hour", "day", "month", "year")
OPTIONS = {
    "partition_by": frozenset[str](),
    "cluster_by": frozenset[str](),
    "options": _PASSED | {GRANULARITY, RANGE},
    "comment": frozenset[str](),
}


def check_options(options: TableOptions, kind: CreateKind = CreateKind.TABLE) -> None:
    """Refuse what cannot be done, before anything is.

    Raises
    ------
    UnsupportedError
        Naming the option.
    """
    for name in options.named:
        if name not in OPTIONS:
            raise UnsupportedError(
                f"the bigquery engine makes no tables with {name}", help=f"remove {name}, or limit it to others"
            )
        if name in ("partition_by", "cluster_by") and kind in (CreateKind.VIEW, CreateKind.TEMP):
            raise UnsupportedError(f"a {kind.value} has no {name}", help=f"remove {name}, or make it a table")
    if len(options.partition_by) > 1:
        raise UnsupportedError("BigQuery partitions by one column", help="put the others into cluster_by")
    if len(options.cluster_by) > _MOST_CLUSTERS:
        raise UnsupportedError(f"BigQuery clusters by {_MOST_CLUSTERS} columns at most", help="remove some")
    for name in options.options:
        if name not in OPTIONS["options"]:
            listed = ", ".join(sorted(OPTIONS["options"]))
            raise UnsupportedError(f"the bigquery engine has no option {name!r}", help=f"write one of {listed}")
        if name in (GRANULARITY, RANGE) and not options.partition_by:
            raise UnsupportedError(f"{name} says nothing without partition_by", help="add partition_by, or remove it")


def clauses(
    options: TableOptions, types: Mapping[str, str], dialect: BigQueryDialect, kind: CreateKind = CreateKind.TABLE
) -> str:
    """What stands between a relation's name and ``AS``; empty, or with a space in front.

    Parameters
    ----------
    types:
        The columns' types, by name in lower case; only asked for the one that partitions.
    """
    check_options(options, kind)
    parts = []
    if options.partition_by:
        parts.append(f"PARTITION BY {_partition(options, types, dialect)}")
    if options.cluster_by:
        parts.append("CLUSTER BY " + ", ".join(dialect.quote(name) for name in options.cluster_by))
    return "".join(f" {part}" for part in parts) + _passed(options, dialect)


def _passed(options: TableOptions, dialect: BigQueryDialect) -> str:
    said = [f"{name}={_value(value, dialect)}" for name, value in options.options.items() if name in _PASSED]
    if options.comment is not None:
        said.append(f"description={dialect.literal(options.comment)}")
    return f" OPTIONS({', '.join(said)})" if said else ""


def clone_clause(options: TableOptions, dialect: BigQueryDialect) -> str:
    """What stands behind the source of a clone; empty, or with a space in front.

    Raises
    ------
    UnsupportedError
        Naming an option that a clone would not have.
    """
    check_options(options)
    if "kms_key_name" in options.options:
        raise UnsupportedError("a clone has the key of its dataset, and not one of its own")
    return _passed(options, dialect)


def shape(
    options: TableOptions, types: Mapping[str, str], dialect: BigQueryDialect
) -> tuple[tuple[Any, ...] | None, tuple[Any, ...] | None, tuple[str, ...]]:
    """Partitions by time, partitions by number, and clusters, as a table's own record tells them.

    Parameters
    ----------
    types:
        The columns' types, by name in lower case.
    """
    clusters = tuple(name.lower() for name in options.cluster_by)
    if not options.partition_by:
        return None, None, clusters
    _partition(options, types, dialect)  # what cannot be is refused in its words
    (name,) = options.partition_by
    if types.get(name.lower()) == "INT64":
        return None, (name.lower(), *options.options[RANGE]), clusters
    return (str(options.options.get(GRANULARITY, "day")).upper(), name.lower()), None, clusters


def _partition(options: TableOptions, types: Mapping[str, str], dialect: BigQueryDialect) -> str:
    (name,) = options.partition_by
    column, type_ = dialect.quote(name), types.get(name.lower(), "")
    part = str(options.options.get(GRANULARITY, "day")).lower()
    span = options.options.get(RANGE)
    if part not in _PARTS:
        raise UnsupportedError(f"there are no partitions of a {part!r}", help=f"write one of {', '.join(_PARTS)}")
    if type_ == "INT64":
        if not isinstance(span, list | tuple) or [type(one) for one in span] != [int] * 3:
            raise UnsupportedError(
                f"partitions by the number {name} need a range", help=f"{RANGE}: [first, one behind the last, step]"
            )
        first, last, step = span
        return f"RANGE_BUCKET({column}, GENERATE_ARRAY({first}, {last}, {step}))"
    if span is not None:
        raise UnsupportedError(f"{RANGE} is for whole numbers, and {name} is {type_ or 'missing'}")
    if type_ == "DATE":
        if part == "hour":
            raise UnsupportedError(f"the date {name} has no hours", help="write day, month or year")
        return column if part == "day" else f"DATE_TRUNC({column}, {part.upper()})"
    if type_ in ("DATETIME", "TIMESTAMP"):
        return f"{type_}_TRUNC({column}, {part.upper()})"
    raise UnsupportedError(
        f"BigQuery cannot partition by {name}, which is {type_ or 'no column'}",
        help="name a column of type DATE, DATETIME, TIMESTAMP or INT64",
    )


def _value(value: Any, dialect: BigQueryDialect) -> str:
    if isinstance(value, Mapping):
        pairs = (f"({dialect.literal(str(key))}, {dialect.literal(str(one))})" for key, one in value.items())
        return f"[{', '.join(pairs)}]"
    try:
        return dialect.literal(value)
    except TypeError as exc:
        raise UnsupportedError(f"{value!r} is no value of an option of BigQuery") from exc
