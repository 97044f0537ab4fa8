"""Turns one ``.ff.py`` file into nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from flowforge.config.parsed import Parsed
from flowforge.errors import FlowForgeError, ModelConfigError, Problems
from flowforge.project.deltas import DeltaReader
from flowforge.project.files import read_text
from flowforge.project.layering import Settings
from flowforge.project.macros import MacroLibrary
from flowforge.project.manifest import Node, NodeKind
from flowforge.project.model_config import structure_config
from flowforge.project.python_draft import PythonDraft, keep_drafts, kept_drafts
from flowforge.values import Location, Relation, relation_for


def python_drafts(root: Path, path: str, problems: Problems, parsed: Parsed) -> list[PythonDraft]:
    """What stands in a Python file with models. Errors go to *problems*."""
    kept = kept_drafts(parsed, path)
    if kept is not None:
        return kept
    try:
        text = read_text(root, path, parsed)
    except FlowForgeError as error:
        problems.add(error)
        return []
    from flowforge.project.python_model import read_python_models

    before = len(problems)
    drafts = read_python_models(text, path, problems)
    if len(problems) == before:
        keep_drafts(parsed, path, drafts)
    return drafts


def python_nodes(
    drafts: Sequence[PythonDraft],
    path: str,
    problems: Problems,
    settings: Settings,
    deltas: DeltaReader,
    library: MacroLibrary | None = None,
) -> Iterator[Node]:
    """The nodes of all models in a Python file. Errors go to *problems*."""
    stem = path.rsplit("/", 1)[-1].removesuffix(".py")
    if len(drafts) > 1:
        for draft in drafts:
            if draft.name is None:
                problems.add(
                    ModelConfigError(
                        f"a file with several models has to name them: {draft.body.function!r} has no name",
                        code="FF1115",
                        location=draft.location,
                        help=f'write @model(name="{draft.body.function}", ...)',
                    )
                )
    for draft in drafts:
        node = _node(draft, draft.name or stem, path, problems, settings, deltas, library)
        if node is not None:
            yield node


def _node(
    draft: PythonDraft,
    name: str,
    path: str,
    problems: Problems,
    settings: Settings,
    deltas: DeltaReader,
    library: MacroLibrary | None,
) -> Node | None:
    if draft.config.get("dialect") is not None:
        problems.add(
            ModelConfigError(
                "'dialect' says what SQL is written in, and a Python model has none",
                code="FF1140",
                location=draft.places.get("dialect", draft.location),
                help="remove it",
            )
        )

    def place_here(key: str) -> Location:
        return draft.places.get(key, draft.location)

    raw, place = settings.joined(path, name, draft.config, place_here)
    hooks = settings.hooks(path, name, draft.config, place_here)
    config = structure_config(
        raw, place, problems, kind=NodeKind.PYTHON, hooks=hooks, library=library, made=settings.made
    )
    if config is None:
        return None
    if config.materialized == "ephemeral":
        problems.add(
            ModelConfigError(
                "a Python model cannot be ephemeral: it has no SQL to put in its place",
                code="FF1107",
                location=place("materialized"),
                help="use 'table' or 'view'",
            )
        )
    return Node(
        name=name,
        kind=NodeKind.PYTHON,
        path=path,
        relation=Relation(config.alias or relation_for(name), config.schema, config.database),
        config=config,
        body=draft.body,
        refs=draft.refs,
        description=config.description or (draft.docstring or "").split("\n\n")[0].strip() or None,
        delta=deltas.read(config.incremental, raw, place, len(draft.refs), problems),
        place_of=place,
    )
