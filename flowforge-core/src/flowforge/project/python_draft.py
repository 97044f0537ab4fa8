"""What the syntax tree of a Python model says, and how it is kept for the next time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowforge.config.parsed import Parsed
from flowforge.frozen import frozen
from flowforge.project.manifest import PythonBody, RefCall
from flowforge.project.scanned import numbers, packed, unpacked
from flowforge.values import Location


@frozen
class PythonDraft:
    """A decorated function before its configuration is checked.

    *config* holds the decorator's keywords but for name, deps and requires; *places* says where each stands.
    """

    name: str | None
    location: Location
    refs: tuple[RefCall, ...]
    body: PythonBody
    config: Mapping[str, Any]
    places: Mapping[str, Location]
    docstring: str | None


PURPOSE = "python"


def keep_drafts(parsed: Parsed, path: str, drafts: Sequence[PythonDraft]) -> None:
    """Keep what was read without a flaw, unless it holds values that JSON does not know, such as sets."""
    try:
        parsed.keep(PURPOSE, path, [_record(draft) for draft in drafts])
    except TypeError:
        return


def kept_drafts(parsed: Parsed, path: str) -> list[PythonDraft] | None:
    """What was kept of a file that has not changed since."""
    record = parsed.record(PURPOSE, path)
    if record is None:
        return None
    drafts = []
    for name, at, refs, body, config, places, docstring in record:
        function, parameters, variadic, requires, line = body
        drafts.append(
            PythonDraft(
                name,
                Location(path, *at),
                tuple(RefCall(ref, Location(path, *place)) for ref, place in refs),
                PythonBody(
                    function,
                    tuple(parameters),
                    variadic,
                    {key: tuple(columns) for key, columns in requires.items()},
                    line,
                ),
                unpacked(config),
                {key: Location(path, *place) for key, place in places.items()},
                docstring,
            )
        )
    return drafts


def _record(draft: PythonDraft) -> list[Any]:
    body = draft.body
    return [
        draft.name,
        numbers(draft.location),
        [[ref.name, numbers(ref.location)] for ref in draft.refs],
        [body.function, body.parameters, body.variadic, body.requires, body.line],
        packed(draft.config),
        {key: numbers(place) for key, place in draft.places.items()},
        draft.docstring,
    ]
