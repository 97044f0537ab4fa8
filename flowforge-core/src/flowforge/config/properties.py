"""What YAML files beside the models say about models and seeds: descriptions, tags and checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import attrs

from flowforge.config.check_entries import RawCheck, as_tuple, parse_checks
from flowforge.config.files import read_yaml
from flowforge.config.layers import Layer, Passage
from flowforge.config.names import is_name
from flowforge.config.parsed import Parsed
from flowforge.config.structure import structure
from flowforge.config.yaml import KeyPath, YamlDocument
from flowforge.errors import ConfigFileError, FlowForgeError, Problems
from flowforge.frozen import frozen
from flowforge.values import Location

_CHECK_KEYS = ("checks", "tests", "data_tests")


@frozen
class ColumnProps:
    """What the project says about a column."""

    name: str
    description: str | None
    checks: tuple[RawCheck, ...]


@frozen
class ModelProps:
    """What one entry says about a model or a seed.

    Parameters
    ----------
    kind:
        The list that the entry stands in.
    checks:
        Those of the entry itself; those of columns are at the columns.
    settings:
        What ``config:`` says, and what of it may stand beside it.
    """

    name: str
    kind: Literal["models", "seeds"]
    description: str | None
    tags: tuple[str, ...]
    columns: tuple[ColumnProps, ...]
    checks: tuple[RawCheck, ...]
    settings: tuple[Layer, ...]
    _doc: YamlDocument = attrs.field(repr=False, eq=False)
    _at: KeyPath = attrs.field(repr=False)

    @property
    def at(self) -> KeyPath:
        """Leads to the entry."""
        return self._at

    @property
    def location(self) -> Location:
        """The place of the entry's name."""
        return self._doc.locate((*self._at, "name"))


@frozen
class Properties:
    """One file."""

    path: str
    models: tuple[ModelProps, ...] = ()

    @property
    def checks(self) -> tuple[RawCheck, ...]:
        """All checks of the file in the order of models, each model's own before those of its columns."""
        groups = (group for model in self.models for group in (model.checks, *(each.checks for each in model.columns)))
        return tuple(check for group in groups for check in group)


def _later(*keys: str) -> Mapping[str, str]:
    return dict.fromkeys(keys, "")


_IN_A_CONTRACT = (
    "say it in the contract of the table, a file that ends in .contracts.yml: `table: orders`, `columns: {{id: {}}}`"
)


@frozen
class _Column:
    later_keys: ClassVar[Mapping[str, str]] = {
        **_later("meta", "tags", "quote", "config"),
        "data_type": _IN_A_CONTRACT.format("{type: bigint}"),
        "constraints": _IN_A_CONTRACT.format("{nullable: false, unique: true}"),
    }

    name: str = attrs.field(validator=is_name)
    description: str | None = None
    checks: tuple[Any, ...] = attrs.field(default=(), metadata={"aliases": _CHECK_KEYS[1:]})


@frozen
class _Entry:
    later_keys: ClassVar[Mapping[str, str]] = {
        **_later("docs", "access", "group", "versions", "latest_version"),
        "constraints": _IN_A_CONTRACT.format("{nullable: false, unique: true}"),
        "contract": "write `enforce_schema: {mode: verify}` into the contract of the table, a file that ends in "
        ".contracts.yml",
    }

    name: str = attrs.field(validator=is_name)
    description: str | None = None
    columns: tuple[_Column, ...] = ()
    tags: tuple[str, ...] = attrs.field(default=(), converter=as_tuple, metadata={"accepts": str | tuple[str, ...]})
    meta: Mapping[str, Any] = attrs.field(factory=dict)
    owner: str | None = None
    config: Mapping[str, Any] = attrs.field(factory=dict)
    checks: tuple[Any, ...] = attrs.field(default=(), metadata={"aliases": _CHECK_KEYS[1:]})


@frozen
class _File:
    later_keys: ClassVar[Mapping[str, str]] = {
        "sources": "declare sources in sources.yml, in the project folder",
        "unit_tests": "",
        "exposures": "",
        "metrics": "",
        "groups": "",
        "macros": "",
        "snapshots": "",
    }

    version: Literal[1, 2] = 1
    models: tuple[_Entry, ...] = ()
    seeds: tuple[_Entry, ...] = ()


ENTRY = _Entry
"""What one entry of a list is read into."""

FILE = _File
"""What a YAML file below the models is read into."""


def load_properties(root: Path, path: str, problems: Problems, parsed: Parsed | None = None) -> Properties | None:
    """Read one file; flaws go to *problems*, and the answer is ``None`` when nothing of it can be used.

    Parameters
    ----------
    parsed:
        What was kept of files that have not changed since.
    """
    from flowforge.config.kept_properties import keep_properties, kept_properties

    parsed = parsed or Parsed.nothing(root)
    kept = kept_properties(parsed, root, path)
    if kept is not None:
        return kept
    before = len(problems)
    try:
        read = read_properties(read_yaml(root, path, parsed), problems)
    except FlowForgeError as exc:
        problems.add(exc)
        return None
    if read is not None and len(problems) == before:
        keep_properties(parsed, read)
    return read


def read_properties(doc: YamlDocument, problems: Problems) -> Properties | None:
    """As :func:`load_properties`, from a document that was read before. An empty one says nothing."""
    if doc.data is None:
        return Properties(doc.path)
    file = structure(doc, _File, problems=problems)
    if file is None:
        return None
    models = entries_of(doc, file.models, "models", problems).models
    seeds = entries_of(doc, file.seeds, "seeds", problems).models
    return Properties(doc.path, (*models, *seeds))


def entries_of(
    doc: YamlDocument, entries: Sequence[_Entry], kind: Literal["models", "seeds"], problems: Problems
) -> Properties:
    """What a list called *kind* at the top of a document says; its entries were read before."""
    return Properties(
        doc.path, tuple(_model(entry, kind, doc, (kind, index), problems) for index, entry in enumerate(entries))
    )


def _model(
    entry: _Entry, kind: Literal["models", "seeds"], doc: YamlDocument, at: KeyPath, problems: Problems
) -> ModelProps:
    columns: dict[str, ColumnProps] = {}
    for index, column in enumerate(entry.columns):
        place = (*at, "columns", index)
        if column.name in columns:
            problems.add(
                ConfigFileError(
                    f"the column '{column.name}' of '{entry.name}' is described twice",
                    code="FF1009",
                    location=doc.locate((*place, "name")),
                    help="join the two entries",
                )
            )
            continue
        checks = _checks(column.checks, doc, place, problems, entry.name, column.name)
        columns[column.name] = ColumnProps(column.name, column.description, checks)
    own = _checks(entry.checks, doc, at, problems, entry.name, None)
    settings = tuple(_settings(entry, doc, at))
    return ModelProps(entry.name, kind, entry.description, entry.tags, tuple(columns.values()), own, settings, doc, at)


def _settings(entry: _Entry, doc: YamlDocument, at: KeyPath) -> Iterator[Layer]:
    beside = {key: value for key in ("meta", "owner") if (value := getattr(entry, key))}
    for values, place in ((beside, at), (entry.config, (*at, "config"))):
        if values:
            plain = {str(key).removeprefix("+"): value for key, value in values.items()}
            written = {str(key).removeprefix("+"): str(key) for key in values}
            yield Layer(plain, written, Passage(doc, place))


def _checks(
    entries: tuple[Any, ...], doc: YamlDocument, at: KeyPath, problems: Problems, table: str, column: str | None
) -> tuple[RawCheck, ...]:
    if not entries:
        return ()
    written = doc.at(at)
    key = next(name for name in _CHECK_KEYS if name in written)
    return parse_checks(entries, doc, (*at, key), problems=problems, table=table, column=column)
