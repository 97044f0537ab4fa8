"""What tests of the publishing protocol work with: a database in a file, on any engine that is installed."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs

from flowforge.contract import EngineSpec, Executor, LoadMode, Session
from flowforge.materialize.publish import Publication, Publisher
from flowforge.plugins import load_plugins
from flowforge.state.fingerprint import Fingerprint
from flowforge.state.lease import Leases
from flowforge.state.meta import MetaRow, ensure_meta, meta_table, read_meta
from flowforge.values import Relation, RelationInfo, RelationKind

T = TypeVar("T")
PATIENCE = 30.0
"""Seconds after which something that should happen soon is said not to happen."""


@attrs.define
class Place:
    """One database file, and what tests do with it."""

    spec: EngineSpec
    executor: Executor
    file: Path
    _open: list[Session] = attrs.field(factory=list)

    @property
    def meta(self) -> Relation:
        return meta_table(self.executor.namespace)

    def relation(self, name: str) -> Relation:
        return Relation(name).within(self.executor.namespace)

    def session(self) -> Session:
        """A session that is closed after the test."""
        session = self.executor.session(label="flowforge/test")
        self._open.append(session)
        return session

    def close(self) -> None:
        for session in self._open:
            session.close()
        self.executor.close()

    def ensure_meta(self) -> Relation:
        return ensure_meta(self.session(), self.executor.dialect, self.executor.namespace)

    def leases(self, run_id: str = "run1", **settings: Any) -> Leases:
        return Leases(
            self.executor.dialect,
            self.executor.namespace,
            run_id,
            lambda label: self.executor.session(label=label),
            **settings,
        )

    def publisher(self, run_id: str = "run1", *, lock_timeout: float = PATIENCE, **settings: Any) -> Publisher:
        return Publisher(
            self.spec,
            self.executor.dialect,
            self.executor.namespace,
            run_id,
            self.meta,
            lock_timeout,
            leases=self.leases(run_id, **settings),
        )

    def publication(self, name: str, value: int, **changes: Any) -> Publication:
        """A table of ten rows that all say *value*."""

        def write(session: Session, staged: Relation) -> int:
            import pyarrow as pa

            return session.load(staged, pa.table({"x": [value] * 10}).to_reader(), LoadMode.CREATE)

        made = Publication(
            node=f"{name}.ff",
            target=self.relation(name),
            kind=RelationKind.TABLE,
            fingerprint=str(Fingerprint(f"made of {value}", "n", "s")),
            data_id=f"d{value}",
            write=write,
            hash_rows=True,
        )
        return attrs.evolve(made, **changes)

    def rows(self, what: str) -> list[tuple[Any, ...]]:
        """The rows of a relation, or of a query."""
        sql = what if " " in what else f"SELECT * FROM {self.executor.dialect.render(self.relation(what))}"
        with self.executor.session(label="flowforge/look") as session:
            found = session.query(sql).read_all()
        return sorted(zip(*(column.to_pylist() for column in found.columns), strict=True), key=repr)

    def notes(self) -> dict[str, MetaRow]:
        with self.executor.session(label="flowforge/look") as session:
            return read_meta(session, self.executor.dialect, self.meta)

    def staged(self) -> list[RelationInfo]:
        """Staging relations that anybody can see."""
        with self.executor.session(label="flowforge/look") as session:
            found = session.relations(self.executor.namespace)
        return [info for info in found if info.relation.name.startswith("ff__")]


def open_place(engine: str, folder: Path) -> Place:
    """The database of *engine* in *folder*."""
    spec = load_plugins().engine(engine)
    file = folder / "demo.db"
    return Place(spec, spec.load()(spec.settings(path=str(file))), file)


def together(count: int, work: Callable[[int], T]) -> Sequence[T]:
    """Call *work* in *count* threads at once; what one of them raises is raised."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return [future.result(PATIENCE) for future in [pool.submit(work, index) for index in range(count)]]
