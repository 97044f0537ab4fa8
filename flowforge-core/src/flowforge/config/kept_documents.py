"""A whole YAML document with its places, in a form that is kept for the next time, so that no parser is imported."""

from __future__ import annotations

from typing import Any

from flowforge.config.exact import Inexact, exact
from flowforge.config.parsed import Parsed
from flowforge.config.yaml import YamlDocument
from flowforge.config.yaml_places import Places

PURPOSE = "yaml"


def keep_document(parsed: Parsed, doc: YamlDocument) -> None:
    """Keep a document; one with aliases, or with keys that are no texts, is parsed every time."""
    places = doc.places.numbers()
    if places is None:
        return
    try:
        parsed.keep(PURPOSE, doc.path, [exact(doc.data), *places])
    except Inexact:
        return


def kept_document(parsed: Parsed, path: str) -> YamlDocument | None:
    """What was kept of a file that has not changed since."""
    record: list[Any] | None = parsed.record(PURPOSE, path)
    if record is None:
        return None
    return YamlDocument(record[0], path, Places.restored(*record[1:]))
