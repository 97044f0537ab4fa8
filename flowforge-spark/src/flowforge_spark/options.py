"""What tables of Spark can have beside rows, and how it is said to the writer. Anything else is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from flowforge.contract import CreateKind, TableOptions
from flowforge.errors import UnsupportedError
from flowforge_spark.dialect import SparkDialect
from flowforge_spark.formats import FORMATS, Format, format_of
from flowforge_spark.settings import SparkSettings

OPTIONS: Mapping[str, frozenset[str]] = {
    "partition_by": frozenset(),
    "cluster_by": frozenset(),
    "format": frozenset(FORMATS),
    "location": frozenset(),
    "options": frozenset(),
    "comment": frozenset(),
}
_WORD = "abcdefghijklmnopqrstuvwxyz0123456789_.-"


def check(options: TableOptions, kind: CreateKind = CreateKind.TABLE) -> None:
    """Refuse what a relation of this kind cannot have.

    Raises
    ------
    UnsupportedError
        With the option's name.
    """
    if kind is CreateKind.MATERIALIZED_VIEW:
        raise UnsupportedError("FlowForge makes no materialized views on Spark", help="use a table")
    for name in options.named:
        if name not in OPTIONS or (kind is not CreateKind.TABLE and name != "comment"):
            raise UnsupportedError(f"a {kind.value} of Spark has no {name}", help=f"remove {name}")
    if options.format is not None:
        try:
            format_of(options.format)
        except ValueError as exc:
            raise UnsupportedError(str(exc)) from exc
    if options.partition_by and options.cluster_by:
        raise UnsupportedError("a table of Spark is either partitioned or clustered", help="choose one of them")
    for key, value in options.options.items():
        if not isinstance(value, (str, int, float, bool)) or set(key.lower()) - set(_WORD):
            raise UnsupportedError(f"the option {key!r} is no plain value that Spark could be told")
    if options.location is not None and "://" in options.location:
        scheme = options.location.partition("://")[0]
        if not scheme.isalnum() or scheme == "ff":
            raise UnsupportedError(f"{options.location} is no place that Spark can write to")


@attrs.frozen
class Layout:
    """How one table is written.

    Parameters
    ----------
    name:
        The format's name.
    """

    name: str
    options: TableOptions = TableOptions()
    extra: Mapping[str, Any] = attrs.field(factory=dict)

    @classmethod
    def of(cls, options: TableOptions, settings: SparkSettings) -> Layout:
        """What a model and the profile say together; the model's own options win."""
        return cls((options.format or settings.default_format).lower(), options, settings.table_options)

    @property
    def format(self) -> Format:
        """What the format can do."""
        return format_of(self.name)

    def writer(self, frame: Any, dialect: SparkDialect, *, location: str | None = None) -> Any:
        """Spark's writer for a frame, told everything but the table's name."""
        writer = frame.write.format(self.name)
        for key, value in {**self.extra, **self.options.options}.items():
            writer = writer.option(key, value)
        if self.options.partition_by:
            writer = writer.partitionBy(*(dialect.fold(name) for name in self.options.partition_by))
        if self.options.cluster_by:
            writer = writer.clusterBy(*(dialect.fold(name) for name in self.options.cluster_by))
        return writer if location is None else writer.option("path", location)
