"""The checks that a project brings itself, as frozen values: what files below ``tests/`` declare.

A check with a *type* is used like a built-in one, from YAML. One without is a test of its own, a *singular* one: it says
itself what it reads. Nothing here opens a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import attrs

from flowforge.errors import Note
from flowforge.frozen import frozen
from flowforge.project.manifest import Limit, RefCall, SourceCall, SqlBody
from flowforge.values import Location

if TYPE_CHECKING:
    from flowforge.contract import CheckSpec

SINGULAR = "singular"
"""The type of tests that stand for themselves."""

TABLE_WORDS, COLUMN_WORDS = ("table", "model"), ("column", "column_name")
"""What a check's template calls the table and the column under test."""


@frozen
class CheckFunction:
    """A check in Python: the name of its function and, if the decorator names one, of its class of parameters."""

    function: str
    params_model: str | None = None


@frozen
class Tuning:
    """What a singular test says of itself in the words that YAML has for other checks."""

    severity: str = "error"
    tags: tuple[str, ...] = ()
    description: str | None = None
    warn_if: Limit | None = None
    error_if: Limit | None = None
    on_fail: str | None = None
    rows_of: str | None = None


@attrs.frozen(eq=False)
class OwnCheck:
    """One check of the project.

    Parameters
    ----------
    name:
        Its type; the name of the test, for a singular one.
    location:
        Where it is declared.
    spec:
        Its parameters, and what a finding is called. Its query is in *body*.
    refs, sources:
        What its template reads besides the table under test.
    returns:
        What the rows of its query mean; ``None``: as the form of the query says. ``condition``: it is no query, but
        says of one row that it fails.
    key:
        The columns by which the rows of its answer are found in the table under test; ``*``: they are whole rows of it;
        none: nobody can say which rows fail.
    overwrite:
        It may take the place of another one with this name.
    uses_table:
        Its template reads the table under test.
    depends_on, reads:
        The names of the nodes, and the ids of the sources, that *refs* and *sources* mean.
    tuning:
        Of a singular test.
    """

    name: str
    location: Location
    body: SqlBody | CheckFunction
    spec: CheckSpec
    refs: tuple[RefCall, ...] = ()
    sources: tuple[SourceCall, ...] = ()
    returns: Literal["rows", "count", "condition"] | None = None
    key: tuple[str, ...] = ()
    overwrite: bool = False
    uses_table: bool = True
    depends_on: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    tuning: Tuning | None = None

    @property
    def path(self) -> str:
        """Its file, relative to the project."""
        return self.location.path


@frozen
class OwnChecks:
    """All of them: those with a type by their types, and the singular ones in the order of their files."""

    types: Mapping[str, OwnCheck] = attrs.field(factory=dict)
    tests: tuple[OwnCheck, ...] = ()
    notes: tuple[Note, ...] = ()
