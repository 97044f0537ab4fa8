"""Seeds that are queries: ``seeds/**/*.sql``, one SELECT or VALUES each, which read nothing of the project.

The template is scanned as a model's is, and rendered in the same sandbox; only what leads to other nodes is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowforge.errors import FlowForgeError, Problems, SeedError
from flowforge.project.files import read_text
from flowforge.project.manifest import Node, NodeKind, SeedBody, SqlBody
from flowforge.project.scan import scan_sql
from flowforge.seeds.settings import SeedSettings
from flowforge.values import Location, Relation, relation_for

SQL = ".sql"


def seed_id(path: str, suffix: str, folder: str) -> str:
    """A seed's path inside of *folder*, without its suffix."""
    return path[len(folder) + 1 : -len(suffix)]


def sql_seed(
    root: Path,
    path: str,
    name: str,
    folder: str,
    settings: SeedSettings,
    types: Mapping[str, tuple[str, Location]],
    problems: Problems,
) -> Node | None:
    """The node of a SQL seed; ``None`` when its file is beyond understanding. Errors go to *problems*."""
    try:
        text = read_text(root, path)
    except FlowForgeError as error:
        problems.add(error)
        return None
    if not text.strip():
        problems.add(_error("this seed is empty", Location(path, 1, 1), "write a SELECT or VALUES, or delete the file"))
        return None
    scan = scan_sql(text, path)
    for problem in scan.problems:
        problems.add(problem)
    for call, where in (
        *((f"ref({ref.name!r})", ref.location) for ref in scan.refs),
        *((f"source({one.source!r}, {one.table!r})", one.location) for one in scan.sources),
    ):
        problems.add(_error(f"a seed reads nothing, but this one asks for {call}", where, "make it a model"))
    for _, where in types.values():
        problems.add(_error("the types of a SQL seed are those of its query", where, "write casts into the query"))

    def place(key: str) -> Location:
        return scan.locate([key]) or Location(path, 1, 1)

    before = len(problems)
    own: dict[str, Any] = settings.layered.answered(scan.config or {}, place, problems)
    kind, created = scan.create or (None, None)
    if kind == "view":
        problems.add(
            _error("a seed becomes a table, not a view", Location(path, 1, 1), "write CREATE TABLE, or neither")
        )
    elif created is not None:
        own.setdefault("alias", created)
    if len(problems) > before:
        own = {}
    told = settings.of(path, name, None, own, place)
    return Node(
        name=name,
        kind=NodeKind.SEED,
        path=path,
        relation=Relation(told.config.alias or relation_for(name), told.config.schema, told.config.database),
        place_of=told.place,
        config=told.config,
        body=SeedBody(
            SQL,
            loaded_columns=told.loaded_columns,
            id=seed_id(path, SQL, folder),
            query=SqlBody(scan.template, scan.simple),
        ),
        description=told.config.description,
    )


def _error(message: str, location: Location, help: str) -> SeedError:
    return SeedError(message, code="FF2210", location=location, help=help)
