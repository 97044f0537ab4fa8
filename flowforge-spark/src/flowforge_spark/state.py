"""FlowForge's own small tables on Spark.

Where the format can change rows they are tables like any others, and two runs that change one row at once find out by
the format's own commits: the loser's statement fails and is said again. Formats that cannot change rows are only good
enough where nobody else can be: in a Spark inside of this process, whose catalogue is open to no other. There a change
is a new table of rows, made while nobody else in the process changes anything.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from flowforge.contract import Dialect, TableOptions
from flowforge.errors import EngineError, ErrorKind, UnsupportedError
from flowforge.values import Relation
from flowforge_spark.dialect import exactly
from flowforge_spark.formats import format_of
from flowforge_spark.ground import Ground
from flowforge_spark.options import Layout
from flowforge_spark.pointers import Pointer, new_rows

WRITING = threading.RLock()
"""Held while a table is changed whose format keeps nobody out, and which nobody outside of this process can change."""


class StateTables(Ground):
    """The part of a session that keeps small tables. See :class:`flowforge_spark.session.SparkSession`."""

    @property
    def _state_format(self) -> str:
        return self._settings.state_format or self._settings.default_format

    @property
    def _shares_state(self) -> bool:
        """Whether the format keeps runs apart that change one table."""
        return format_of(self._state_format).changes_rows

    def create_table(self, dialect: Dialect, relation: Relation, columns: Mapping[str, str]) -> None:
        """Only in a format, or in a place, that lets no run undo what another one notes."""
        nothing = ", ".join(f"CAST(NULL AS {type_}) AS {dialect.quote(name)}" for name, type_ in columns.items())
        options = TableOptions(format=self._state_format)
        if self._shares_state:
            layout = self._layouts[relation] = Layout.of(options, self._settings)
            with self._statements.running():
                frame = self.spark.sql(f"SELECT {nothing} LIMIT 0")
                layout.writer(frame, self._dialect).mode("ignore").saveAsTable(dialect.render(relation))
            return
        self._refuse_others()
        with WRITING:
            if self.kind_of(relation) is None:
                self._create(relation, options, self.spark.sql(f"SELECT {nothing} LIMIT 0"))

    def _refuse_others(self) -> None:
        context = getattr(self.spark, "_sc", None)
        shared = context is None or not self._settings.is_local
        if context is not None and not shared:
            shared = bool(context._jsc.hadoopConfiguration().get("hive.metastore.uris"))
        if shared:
            raise UnsupportedError(
                f"tables of {self._state_format} cannot keep two runs apart in a catalogue that others use as well",
                help="say state_format: delta (or iceberg) in the profile, or choose such a table_format",
            )

    def add_rows(
        self, dialect: Dialect, relation: Relation, columns: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        """Append rows in one statement."""
        literal = self._dialect.literal
        lines = ", ".join("(" + ", ".join(literal(value) for value in row) + ")" for row in rows)
        names = ", ".join(self._dialect.quote(name) for name in columns)
        if self._shares_state:
            self._again(
                functools.partial(self._do, f"INSERT INTO {self._dialect.render(relation)} ({names}) VALUES {lines}")
            )
            return
        self.insert(relation, f"SELECT * FROM VALUES {lines} AS ff_rows({names})", columns)

    def update_rows(self, dialect: Dialect, relation: Relation, changes: Mapping[str, Any], where: str) -> None:
        """In one commit; one that comes too late is said again, and then finds other rows."""
        if self._shares_state:
            sets = ", ".join(f"{dialect.quote(name)} = {dialect.literal(value)}" for name, value in changes.items())
            self._again(
                functools.partial(self._do, f"UPDATE {self._dialect.render(relation)} SET {sets} WHERE {where}")
            )
            return
        by_name = {self._dialect.fold(name): dialect.literal(value) for name, value in changes.items()}
        with WRITING:
            columns = []
            for field in self._fields_of(relation):
                name = exactly(field.name)
                value = by_name.get(self._dialect.fold(field.name))
                if value is not None:
                    kept = f"CAST({value} AS {field.dataType.simpleString()})"
                    columns.append(f"CASE WHEN {where} THEN {kept} ELSE {name} END AS {name}")
                else:
                    columns.append(name)
            self._rewrite(relation, f"SELECT {', '.join(columns)} FROM {self._dialect.render(relation)}")

    def delete_rows(self, dialect: Dialect, relation: Relation, where: str) -> None:
        """In one commit."""
        if self._shares_state:
            self._again(functools.partial(self._do, f"DELETE FROM {self._dialect.render(relation)} WHERE {where}"))
            return
        with WRITING:
            kept = f"SELECT * FROM {self._dialect.render(relation)} WHERE NOT COALESCE({where}, FALSE)"
            self._rewrite(relation, kept)

    def _rewrite(self, relation: Relation, select: str) -> None:
        """Let a table of ours have the rows of a query, which may read it."""
        standing = self._standing(relation)
        if standing is None or standing.pointer is None:
            raise EngineError(f"{relation} is not a table that FlowForge made", kind=ErrorKind.UNSUPPORTED)
        old: Pointer = standing.pointer
        rows = relation.renamed(new_rows(self._label))
        with self._statements.running():
            layout = Layout.of(TableOptions(format=self._state_format), self._settings)
            layout.writer(self.spark.sql(select), self._dialect).saveAsTable(self._dialect.render(rows))
        self._point(relation, Pointer(rows.name, old.rows), standing)
        if old.before is not None:
            self._do(f"DROP TABLE IF EXISTS {self._dialect.render(relation.renamed(old.before))}")
