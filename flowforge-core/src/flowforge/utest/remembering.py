"""Says what a unit test is made of, so that one that passed need not be run again while nothing of it has changed.

The digest holds everything that the outcome depends on: the query as the test has it compiled, or the code behind a
model in Python; the rows that are given and expected; the time; the engine. Where the outcome may be another one next
time all the same, there is none. Knows the world of a case; runs nothing.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

import attrs

from flowforge import __version__
from flowforge.errors import FlowForgeError
from flowforge.project.closure import ClosureReader
from flowforge.project.manifest import Node, PythonBody
from flowforge.project.volatile_sql import scan_rendered
from flowforge.run.definition import plain, version_of_frames
from flowforge.run.volatile import contents, python_notes
from flowforge.state.fingerprint import digest
from flowforge.utest.expected_checks import is_steady
from flowforge.utest.files import UnitCase
from flowforge.utest.fixtures import rows_of
from flowforge.utest.freezing import is_time
from flowforge.utest.world import Surroundings, World


class Unsteady(Exception):
    """What passes once says nothing about the next time."""


class Digests:
    """Makes the digests of one run's cases. Safe from any thread.

    Parameters
    ----------
    engine:
        What is known of the engine: its name, versions, settings that matter.
    """

    def __init__(self, around: Surroundings, engine: Any) -> None:
        self._around = around
        self._engine = plain(engine)
        self._lock = threading.Lock()
        self._closures = ClosureReader(around.root)

    def of(self, case: UnitCase) -> str | None:
        """The digest of a case; ``None`` when it has to be run every time, or cannot be read."""
        try:
            world = World(case, self._around)
            given = [[name, str(relation), select] for name, relation, select in world.selects()]
            for _, fixture in world.tables.values():
                if fixture.sql is not None:
                    self._steady(fixture.sql, world, case)
            return digest(
                [
                    __version__,
                    self._engine,
                    case.now.isoformat() if case.now is not None else None,
                    self._model(world, case),
                    given,
                    self._expected(world, case),
                ]
            )
        except (FlowForgeError, Unsteady):
            return None

    def _model(self, world: World, case: UnitCase) -> list[Any]:
        node, query = world.node(), world.query()
        if query is None:
            return self._python(node, world, case)
        if query.executable != query.unrevealed:
            raise Unsteady  # a secret is part of it, and is not to be kept, not even as a digest
        self._steady(query.executable, world, case)
        return [query.executable]

    def _python(self, node: Node, world: World, case: UnitCase) -> list[Any]:
        body = node.body
        assert isinstance(body, PythonBody)
        closure = self._closures.closure(node.path)
        if node.config.inputs or python_notes(node, contents(self._around.root, closure.reached), files_declared=False):
            raise Unsteady
        inputs = world.inputs()
        for _, sql in inputs.values():
            self._steady(sql, world, case)
        frame = node.config.frame
        return [
            closure.digest,
            body.function,
            frame,
            version_of_frames(frame),
            [[name, sql] for name, (_, sql) in inputs.items()],
        ]

    def _expected(self, world: World, case: UnitCase) -> list[Any]:
        expect, around = case.expect, self._around
        if not is_steady(case.checks):
            raise Unsteady
        settings = attrs.asdict(attrs.evolve(expect, rows=None, csv=None))
        if expect.sql is not None:
            self._steady(expect.sql, world, case)
            return [plain(settings)]
        rows = rows_of(expect, around.root, case.path, case.location)
        return [plain(settings), list(rows.columns), repr(rows.rows), rows.texts]

    def _steady(self, sql: str, world: World, case: UnitCase) -> None:
        """See that a query depends on nothing but what is given.

        Raises
        ------
        Unsteady
            When it may.
        """
        fold = self._around.dialect.fold
        known = [tuple(fold(part) for part in (one.database, one.schema, one.name) if part) for one in world.known]
        reads = scan_rendered(sql, known, fold)
        moving = [one for one in reads.volatile if case.now is None or not is_time(one)]
        if moving or reads.relations:
            raise Unsteady


@functools.cache
def versions_behind(distribution: str) -> tuple[str, ...]:
    """The versions of a distribution and of what it names as its requirements; what is not installed is left out."""
    import importlib.metadata
    import re

    found = []
    try:
        wanted = [distribution, *(importlib.metadata.requires(distribution) or ())]
    except importlib.metadata.PackageNotFoundError:
        return ()
    for requirement in wanted:
        match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
        if match is None:
            continue
        try:
            found.append(f"{match[0]} {importlib.metadata.version(match[0])}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return tuple(sorted(set(found)))
