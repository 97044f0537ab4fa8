"""Contracts as they stand in YAML: ``*.contracts.yml`` beside the models, and ``contracts.yml`` in the project folder.

A contract says what the columns of one table are like. ``contracts.yml`` fills in what contracts leave open, and says
which of them are enforced. Knows files and types of columns; no model and no engine.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from flowforge.config.files import CONTRACT_SUFFIXES, read_document
from flowforge.config.names import is_name
from flowforge.config.parsed import Parsed
from flowforge.config.structure import structure
from flowforge.config.type_words import is_type_text, normal_word
from flowforge.config.yaml import KeyPath, YamlDocument
from flowforge.errors import FlowForgeError, Problems
from flowforge.frozen import frozen
from flowforge.values import Location

CONTRACTS_FILE = "contracts.yml"
SUFFIXES = CONTRACT_SUFFIXES
"""How the names of files end that hold the contract of one table."""

Mode = Literal["off", "verify", "cast"]
Value = str | int | float | bool
Bound = int | float | str | dt.date | dt.datetime


def _logical(value: str | None) -> str | None:
    return None if value is None else normal_word(value)


def _values(value: Any) -> tuple[Value, ...] | None:
    return value if value is None or isinstance(value, tuple) else tuple(value) if isinstance(value, list) else (value,)


def _some(_instance: Any, _attribute: Any, value: tuple[Value, ...] | None) -> None:
    if value == ():
        raise ValueError("it is empty, so no value could be good")


def _pattern(_instance: Any, _attribute: Any, value: Any) -> None:
    if value is None:
        return
    if not value:
        raise ValueError("it is empty, so everything would match")
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"it is no regular expression: {error}") from None


@frozen(kw_only=True)
class ColumnRules:
    """What a contract, or a rule of ``defaults``, says of a column; ``None``: nothing."""

    type: str | None = attrs.field(default=None, converter=_logical)
    physical: str | Mapping[str, str] | None = attrs.field(
        default=None, validator=attrs.validators.optional(is_type_text)
    )
    nullable: bool | None = None
    unique: bool | None = None
    enum: tuple[Value, ...] | None = attrs.field(
        default=None, converter=_values, validator=_some, metadata={"accepts": Value | tuple[Value, ...] | None}
    )
    regex: str | None = attrs.field(default=None, validator=_pattern)
    min: Bound | None = None
    max: Bound | None = None
    description: str | None = None


RULES = tuple(field.name for field in attrs.fields(ColumnRules))
"""The keys of a column."""


@frozen(kw_only=True)
class _Enforce:
    mode: Mode | None = None
    allow_extra_columns: bool | None = None


@frozen(kw_only=True)
class _Contract:
    """The contract of one table."""

    version: Literal[1] = 1
    table: str = attrs.field(validator=is_name)
    columns: Mapping[str, ColumnRules | None] = attrs.field(factory=dict)
    enforce_schema: _Enforce = attrs.field(factory=_Enforce)


FILE = _Contract
"""What a file that ends in ``.contracts.yml`` is read into."""


@frozen(kw_only=True)
class _Match:
    name: str = attrs.field(validator=_pattern)
    table: str | None = attrs.field(default=None, validator=_pattern)


@frozen(kw_only=True)
class _Default(ColumnRules):
    match: _Match

    @property
    def says(self) -> bool:
        """Whether it says anything."""
        return any(getattr(self, name) is not None for name in RULES)


@frozen(kw_only=True)
class _Defaults:
    columns: tuple[_Default, ...] = ()


@frozen(kw_only=True)
class _Enforcement:
    default_mode: Mode = "off"
    allow_extra_columns: bool = True
    tables: Mapping[str, _Enforce | None] = attrs.field(factory=dict)


@frozen(kw_only=True)
class _Shared:
    """What holds for all contracts."""

    version: Literal[1] = 1
    defaults: _Defaults = attrs.field(factory=_Defaults)
    enforcement: _Enforcement = attrs.field(factory=_Enforcement)


SHARED_FILE = _Shared
"""What ``contracts.yml`` is read into."""


@frozen
class ContractFile:
    """One file about one table.

    Parameters
    ----------
    columns:
        What it says of each column that it lists.
    mode, allow_extra_columns:
        How it wants to be enforced; ``None``: it does not say.
    """

    table: str
    columns: Mapping[str, ColumnRules]
    mode: Mode | None
    allow_extra_columns: bool | None
    doc: YamlDocument = attrs.field(repr=False, eq=False)

    @property
    def location(self) -> Location:
        """Where the table's name stands."""
        return self.doc.locate(("table",))


@frozen
class DefaultRule:
    """One rule of ``defaults``: *says* holds for columns in whose names *name* is found, in tables likewise."""

    name: re.Pattern[str]
    table: re.Pattern[str] | None
    says: ColumnRules
    at: KeyPath

    def fits(self, table: str, column: str) -> bool:
        """Whether it is about a column."""
        return bool(self.name.search(column)) and (self.table is None or bool(self.table.search(table)))


@frozen
class SharedRules:
    """What ``contracts.yml`` says.

    Parameters
    ----------
    tables:
        Mode and whether other columns may be there, by table; ``None``: nothing is said.
    """

    defaults: tuple[DefaultRule, ...] = ()
    default_mode: Mode = "off"
    allow_extra_columns: bool = True
    tables: Mapping[str, tuple[Mode | None, bool | None]] = attrs.field(factory=dict)
    doc: YamlDocument | None = attrs.field(default=None, repr=False, eq=False)

    def place(self, at: KeyPath, *, key: bool = False) -> Location:
        """Where something stands in the file."""
        return self.doc.locate(at, key=key) if self.doc is not None else Location(CONTRACTS_FILE)


def load_contract(root: Path, path: str, problems: Problems, parsed: Parsed | None = None) -> ContractFile | None:
    """Read one file; flaws go to *problems*, and the answer is then ``None``."""
    try:
        doc = read_document(root, path, parsed)
    except FlowForgeError as error:
        problems.add(error)
        return None
    read = structure(doc, _Contract, problems=problems)
    if read is None:
        return None
    columns = {name: rules or ColumnRules() for name, rules in read.columns.items()}
    said = read.enforce_schema
    return ContractFile(read.table, columns, said.mode, said.allow_extra_columns, doc)


def load_shared(root: Path, problems: Problems, parsed: Parsed | None = None) -> SharedRules:
    """Read ``contracts.yml``, if there is one; flaws go to *problems*."""
    if not (root / CONTRACTS_FILE).exists():
        return SharedRules()
    try:
        doc = read_document(root, CONTRACTS_FILE, parsed)
    except FlowForgeError as error:
        problems.add(error)
        return SharedRules()
    read = structure(doc, _Shared, problems=problems) if doc.data is not None else None
    if read is None:
        return SharedRules()
    rules = tuple(
        DefaultRule(
            re.compile(rule.match.name),
            re.compile(rule.match.table) if rule.match.table is not None else None,
            rule,
            ("defaults", "columns", number),
        )
        for number, rule in enumerate(read.defaults.columns)
    )
    said = read.enforcement
    tables = {name: (one.mode, one.allow_extra_columns) if one else (None, None) for name, one in said.tables.items()}
    return SharedRules(rules, said.default_mode, said.allow_extra_columns, tables, doc)
