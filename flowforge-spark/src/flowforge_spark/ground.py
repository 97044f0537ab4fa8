"""What all parts of a session stand on: Spark's session, what stands in its catalogue, and how tables are made there."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from flowforge.contract import Session, TableOptions
from flowforge.errors import EngineError, ErrorKind, UnsupportedError
from flowforge.values import Relation
from flowforge_spark.catalogue import Catalogue, Standing
from flowforge_spark.dialect import SparkDialect
from flowforge_spark.options import Layout
from flowforge_spark.pointers import Pointer, is_rows, new_rows
from flowforge_spark.settings import SparkSettings
from flowforge_spark.statement import Statements

T = TypeVar("T")
_ATTEMPTS = 12


class Ground(Session):
    """A session of its own, with its own settings and temporary views.

    Parameters
    ----------
    release:
        Takes *spark* back.
    """

    def __init__(
        self,
        spark: Any,
        dialect: SparkDialect,
        settings: SparkSettings,
        release: Callable[[Any], None],
        *,
        label: str,
        timeout: float | None,
    ) -> None:
        self.spark = spark
        self._dialect = dialect
        self._settings = settings
        self._release = release
        self._label = label
        self._catalogue = Catalogue(spark, dialect)
        self._statements = Statements(spark, timeout)
        self._layouts: dict[Relation, Layout] = {}
        self._reads_views = False

    def _do(self, sql: str) -> None:
        """A command of our own."""
        with self._statements.running():
            self.spark.sql(sql)

    def _again(self, work: Callable[[], T]) -> T:
        """Do what has no effect when it fails until it does not collide with another one's commit."""
        for attempt in range(_ATTEMPTS):
            try:
                return work()
            except EngineError as error:
                if error.kind is not ErrorKind.DEADLOCK:
                    raise
            time.sleep(random.uniform(0.02, 0.1) * (attempt + 1))
        return work()

    def _standing(self, relation: Relation) -> Standing | None:
        with self._statements.running():
            return self._catalogue.standing(relation)

    def _is_pointer(self, relation: Relation) -> bool:
        standing = self._standing(relation)
        return standing is not None and standing.pointer is not None

    def _rows_of(self, relation: Relation) -> Relation:
        """Where the rows of a table are."""
        if is_rows(relation.name):
            return relation
        standing = self._standing(relation)
        pointer = standing.pointer if standing is not None else None
        return relation.renamed(pointer.rows) if pointer is not None else relation

    def _fields_of(self, relation: Relation) -> Any:
        with self._statements.running():
            return self.spark.table(self._sql(relation)).schema

    def _sql(self, relation: Relation) -> str:
        return self._dialect.render(relation)

    def _refuse_taken(self, relation: Relation) -> None:
        if self._standing(relation) is not None:
            raise EngineError(f"{relation} exists already", kind=ErrorKind.DUPLICATE)

    def _create(self, relation: Relation, options: TableOptions, frame: Any, select: str | None = None) -> None:
        """Make a table of a frame; whatever a failure has made of it is removed."""
        layout = Layout.of(options, self._settings)
        points = not layout.format.replaces
        rows = relation.renamed(new_rows(self._label)) if points else relation
        location = None
        if points and options.location is not None:
            location = f"{options.location.rstrip('/')}/{rows.name}"
        try:
            with self._statements.running(select):
                layout.writer(frame, self._dialect, location=location).saveAsTable(self._sql(rows))
            if points:
                self._point(relation, Pointer(rows.name), None)
                self._refuse_unreadable(relation, layout)
        except BaseException:
            with contextlib.suppress(Exception):
                self._do(f"DROP TABLE IF EXISTS {self._sql(rows)}")
            raise
        self._layouts[relation] = layout

    def _refuse_unreadable(self, relation: Relation, layout: Layout) -> None:
        """Some servers forget the text of a view, and with it what a table of ours is."""
        if self._reads_views:
            return
        if not self._is_pointer(relation):
            self._do(f"DROP VIEW IF EXISTS {self._sql(relation)}")
            raise UnsupportedError(
                f"this server does not tell the text of a view, so tables of {layout.name} cannot be replaced in one step",
                help="choose the format delta or iceberg",
            )
        self._reads_views = True

    def _point(self, relation: Relation, pointer: Pointer, standing: Standing | None) -> None:
        """Let the view of a table show its rows."""
        text = pointer.text(self._catalogue.place(relation))
        verb = "CREATE VIEW" if standing is None else "ALTER VIEW"
        self._do(f"{verb} {self._sql(relation)} AS {text}")

    def _remove(self, relation: Relation, standing: Standing) -> None:
        self._do(f"DROP {'VIEW' if standing.is_view else 'TABLE'} IF EXISTS {self._sql(relation)}")
        if standing.pointer is not None:
            for name in (standing.pointer.rows, standing.pointer.before):
                if name is not None:
                    self._do(f"DROP TABLE IF EXISTS {self._sql(relation.renamed(name))}")
        self._layouts.pop(relation, None)
