"""A project as its documentation tells it: what renderers are given. Plain values; nothing behind them is open.

Texts are as the project wrote them. They may hold any character: line ends, markup, separators of paths.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs

from flowforge.frozen import frozen
from flowforge.values import Relation


def _frozen(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(value))


@frozen(kw_only=True)
class CatalogueColumn:
    """One column, as far as the project says something about it.

    Parameters
    ----------
    type:
        As its contract calls it, in a word of FlowForge's or of the engine's; ``None``: nobody says.
    nullable:
        Whether it may be NULL; ``None``: nobody says.
    """

    name: str
    type: str | None = None
    nullable: bool | None = None
    description: str | None = None


@frozen(kw_only=True)
class CatalogueCheck:
    """One check.

    Parameters
    ----------
    id:
        Unique in the project.
    type:
        The word behind ``type:``, such as ``not_null``.
    column:
        The column that it is about; ``None``: the whole table.
    severity:
        ``error`` or ``warn``.
    """

    id: str
    type: str
    column: str | None = None
    severity: str = "error"
    description: str | None = None


@frozen(kw_only=True)
class CatalogueEntry:
    """One model, seed or source.

    Parameters
    ----------
    id:
        Unique in the catalogue: a node's name (``users.ff``), or ``source:`` with the source's id (``source:raw.users``).
    name:
        For people; several entries may share one.
    kind:
        ``sql``, ``python``, ``seed`` or ``source``; later versions may bring further words.
    materialized:
        ``table``, ``view``, ``incremental``, ``snapshot`` ...; ``None`` for sources.
    relation:
        Where it stands under the profile; ``None`` for what has no relation: ephemeral models, sources that are files.
    path:
        The file that declares it, relative to the project, with forward slashes.
    columns:
        In the order of the project's files; those that nobody describes are missing.
    depends_on, used_by:
        Ids of entries that it reads, and of those that read it; sorted, without doubles.
    checks:
        Sorted by id. A check of several tables is with each of them.
    meta:
        What the project keeps there for other programs: plain values, lists and mappings.
    """

    id: str
    name: str
    kind: str
    path: str
    materialized: str | None = None
    relation: Relation | None = None
    description: str | None = None
    owner: str | None = None
    group: str | None = None
    tags: tuple[str, ...] = ()
    columns: tuple[CatalogueColumn, ...] = ()
    depends_on: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()
    checks: tuple[CatalogueCheck, ...] = ()
    meta: Mapping[str, Any] = attrs.field(factory=dict, converter=_frozen)


@frozen(kw_only=True)
class Catalogue:
    """A whole project. *entries* are sorted by id. It holds no time and no secret, so that equal projects have equal ones.

    Fields are only ever added, each with a default; so renderers read what they know.

    Parameters
    ----------
    version:
        The project's own, from ``project.yml``.
    engine:
        The engine of the profile that the relations belong to.
    """

    project: str
    version: str
    engine: str
    entries: tuple[CatalogueEntry, ...] = ()
