"""What a YAML file beside the models says, in a form that is kept for the next time.

Places are not kept, but those of checks, which are part of what is loaded; the others are asked for when something is
wrong, and then the file is read again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flowforge.config.check_entries import RawCheck
from flowforge.config.exact import Inexact, exact
from flowforge.config.later_document import LaterDocument
from flowforge.config.layers import Layer, Passage
from flowforge.config.parsed import Parsed
from flowforge.config.properties import ColumnProps, ModelProps, Properties
from flowforge.values import Location

PURPOSE = "properties"


def keep_properties(parsed: Parsed, read: Properties) -> None:
    """Keep what a file says, which was read without a flaw."""
    try:
        parsed.keep(PURPOSE, read.path, [_model(entry) for entry in read.models])
    except Inexact:
        return  # such a file is parsed every time


def kept_properties(parsed: Parsed, root: Path, path: str) -> Properties | None:
    """What was kept of a file that has not changed since."""
    record = parsed.record(PURPOSE, path)
    if record is None:
        return None
    doc = LaterDocument(root, path)
    models = []
    for name, kind, description, tags, columns, checks, settings, at in record:
        models.append(
            ModelProps(
                name,
                kind,
                description,
                tuple(tags),
                tuple(
                    [
                        ColumnProps(column, text, tuple([_kept_check(one, doc) for one in own]) if own else ())
                        for column, text, own in columns
                    ]
                ),
                tuple([_kept_check(one, doc) for one in checks]),
                tuple([Layer(values, written, Passage(doc, tuple(where))) for values, written, where in settings]),
                doc,
                tuple(at),
            )
        )
    return Properties(path, tuple(models))


def _model(entry: ModelProps) -> list[Any]:
    return [
        entry.name,
        entry.kind,
        entry.description,
        entry.tags,
        [[column.name, column.description, [_check(one) for one in column.checks]] for column in entry.columns],
        [_check(one) for one in entry.checks],
        [[exact(layer.values), layer.written, exact(list(layer.at))] for layer in entry.settings],
        entry.at,
    ]


def _check(raw: RawCheck) -> list[Any]:
    where = raw.location
    return [
        raw.type,
        exact(raw.params),
        raw.table,
        exact(list(raw.at)),
        raw.column,
        raw.severity,
        raw.tags,
        raw.name,
        exact(list(raw.params_at)),
        raw.warn_if,
        raw.error_if,
        [[key, list(path)] for key, path in raw.places.items()],
        raw.prefix,
        raw.description,
        raw.on_fail,
        raw.is_silent,
        [where.line, where.column, where.length],
    ]


def _kept_check(record: list[Any], doc: LaterDocument) -> RawCheck:
    (type_, params, table, at, column, severity, tags, name, params_at, warn_if, error_if, places, prefix) = record[:13]
    description, on_fail, is_silent, where = record[13:]
    return RawCheck(
        type_,
        params,
        table,
        doc,
        tuple(at),
        column,
        severity,
        tuple(tags),
        name,
        tuple(params_at),
        warn_if,
        error_if,
        {key: tuple(path) for key, path in places} if places else {},
        prefix,
        description,
        on_fail,
        is_silent,
        Location(doc.path, *where),
    )
