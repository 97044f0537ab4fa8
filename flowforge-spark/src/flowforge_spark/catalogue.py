"""What stands in Spark's catalogue, with tables behind views seen as the tables that they are. One thread."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from flowforge.errors import ErrorKind
from flowforge.values import Namespace, Relation, RelationInfo, RelationKind
from flowforge_spark.dialect import SparkDialect
from flowforge_spark.errors import Attempt, is_ours, translate
from flowforge_spark.pointers import Pointer, is_rows, pointer_in

_VIEW_TEXT = re.compile(r"^View Text: (.*)$", re.MULTILINE)


@attrs.frozen
class Standing:
    """What stands under a name.

    Parameters
    ----------
    pointer:
        Of a table of ours that is a view in Spark's eyes.
    temporary:
        It belongs to the session.
    """

    kind: RelationKind
    pointer: Pointer | None = None
    temporary: bool = False

    @property
    def is_view(self) -> bool:
        """Whether Spark has a view under the name."""
        return self.kind is RelationKind.VIEW or self.pointer is not None


class Catalogue:
    """Looks; changes nothing. Raises the driver's errors."""

    def __init__(self, spark: Any, dialect: SparkDialect) -> None:
        self._spark = spark
        self._dialect = dialect

    def place(self, relation: Relation) -> str:
        """The schema of *relation* as it stands in SQL, with a dot behind it; empty without one."""
        parts = [self._dialect.quote(part) for part in (relation.database, relation.schema) if part]
        return "".join(f"{part}." for part in parts)

    def standing(self, relation: Relation) -> Standing | None:
        """What stands under a name; ``None``: nothing."""
        name = self._dialect.render(relation)
        try:
            found = self._spark.catalog.getTable(name)
        except Exception as exc:
            if is_ours(exc) and translate(exc, Attempt()).kind is ErrorKind.MISSING:
                return None
            raise
        if found.isTemporary:
            return Standing(RelationKind.TABLE, temporary=True)
        if (found.tableType or "").upper() != "VIEW":
            return Standing(RelationKind.TABLE)
        pointer = pointer_in(self.details(relation).get("View Text", ""))
        return Standing(RelationKind.TABLE if pointer else RelationKind.VIEW, pointer)

    def details(self, relation: Relation) -> Mapping[str, str]:
        """What ``DESCRIBE TABLE EXTENDED`` says below the columns."""
        rows = self._spark.sql(f"DESCRIBE TABLE EXTENDED {self._dialect.render(relation)}").toArrow().to_pylist()
        names = [row["col_name"] for row in rows]
        at = names.index("# Detailed Table Information") if "# Detailed Table Information" in names else len(rows)
        return {row["col_name"]: row["data_type"] or "" for row in rows[at + 1 :]}

    def relations(self, namespace: Namespace) -> list[RelationInfo]:
        """All tables and views of a schema by name; nothing for a schema that does not exist."""
        parts = [self._dialect.quote(part) for part in (namespace.database, namespace.schema) if part]
        place = ".".join(parts)
        try:
            tables = self._names(f"SHOW TABLES IN {place}")
            views = self._names(f"SHOW VIEWS IN {place}")
        except Exception as exc:
            if is_ours(exc) and translate(exc, Attempt()).kind is ErrorKind.MISSING:
                return []
            raise
        kinds = {**dict.fromkeys(tables, RelationKind.TABLE), **dict.fromkeys(views, RelationKind.VIEW)}
        if any(is_rows(name) for name in kinds):
            for name, pointer in self._pointers(place).items():
                kinds[name] = RelationKind.TABLE
                for hidden in (pointer.rows, pointer.before):
                    kinds.pop(hidden or "", None)
        return [
            RelationInfo(Relation(name, namespace.schema, namespace.database), kind)
            for name, kind in sorted(kinds.items())
        ]

    def _names(self, sql: str) -> list[str]:
        rows = self._spark.sql(sql).toArrow().to_pylist()
        return [row.get("tableName") or row["viewName"] for row in rows if not row.get("isTemporary")]

    def _pointers(self, place: str) -> dict[str, Pointer]:
        found = {}
        for row in self._spark.sql(f"SHOW TABLE EXTENDED IN {place} LIKE '*'").toArrow().to_pylist():
            text = _VIEW_TEXT.search(row["information"])
            pointer = pointer_in(text[1]) if text else None
            if pointer is not None:
                found[row["tableName"]] = pointer
        return found

    def comments(self, relation: Relation, standing: Standing) -> tuple[str | None, Mapping[str, str]]:
        """The comments of a relation and of its columns."""
        text = self.details(relation).get("Comment") or None
        if standing.pointer is not None:
            relation = relation.renamed(standing.pointer.rows)
        columns = {}
        for row in self._spark.sql(f"DESCRIBE TABLE {self._dialect.render(relation)}").toArrow().to_pylist():
            if not row["col_name"] or row["col_name"].startswith("# "):
                break
            if row["comment"]:
                columns[row["col_name"]] = row["comment"]
        return text, columns
