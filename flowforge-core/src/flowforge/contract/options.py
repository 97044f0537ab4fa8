"""What a model may ask of its table beside its rows: layout, indexes, rights."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import attrs

from flowforge.frozen import frozen

_OTHER = re.compile(r"[^0-9a-z_]+")
_OURS = re.compile(r"ff_ix__.*__[0-9a-f]{10}", re.DOTALL | re.IGNORECASE)


@frozen
class Index:
    """An index over columns.

    Parameters
    ----------
    unique:
        No two rows have the same values in them.
    type:
        As the engine calls it; ``None``: its usual one.
    """

    columns: tuple[str, ...]
    unique: bool = False
    type: str | None = None

    def name_on(self, table: str, limit: int | None) -> str:
        """The index's name on a table: always the same one, another on every table, and it fits into *limit* bytes.

        :func:`is_our_index` knows it again.
        """
        described = repr((table, self.columns, self.unique, self.type))
        digest = hashlib.blake2b(described.encode(), digest_size=5).hexdigest()
        room = max((limit or 120) - len("ff_ix____") - len(digest), 0)
        readable = _OTHER.sub("_", "_".join((table, *self.columns)).lower())
        return f"ff_ix__{readable[:room]}__{digest}"


def is_our_index(name: str) -> bool:
    """Whether an index has a name that :meth:`Index.name_on` gave it; others belong to somebody else."""
    return _OURS.fullmatch(name) is not None


@frozen
class TableOptions:
    """How a relation should be laid out; an engine refuses what it cannot do, it never ignores it.

    Parameters
    ----------
    partition_by, cluster_by:
        Columns by which rows are kept apart, or beside each other.
    format, location, options:
        The table format, where its files are, and what the format is told.
    grants:
        By privilege, the roles that have it, and no others do. Privileges that are not named stay as they are.
    """

    partition_by: tuple[str, ...] = ()
    cluster_by: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
    format: str | None = None
    location: str | None = None
    options: Mapping[str, Any] = attrs.field(factory=dict)
    grants: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    comment: str | None = None

    @property
    def at_creation(self) -> TableOptions:
        """Those that a relation has from the beginning; indexes, rights and a comment can be given to it later."""
        return attrs.evolve(self, indexes=(), grants={}, comment=None)

    @property
    def named(self) -> tuple[str, ...]:
        """The names of the options that say something."""
        return tuple(field.name for field in attrs.fields(TableOptions) if getattr(self, field.name) not in _NOTHING)


_NOTHING: tuple[Any, ...] = (None, (), {})
