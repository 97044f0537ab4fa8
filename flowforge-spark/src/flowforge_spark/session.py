"""One session of Spark: the contract's primitives, written so that real Spark and other servers of its protocol agree."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from flowforge.contract import CreateKind, LoadMode, Stats, TableOptions
from flowforge.errors import EngineError, ErrorKind, UnsupportedError
from flowforge.values import Namespace, Relation, RelationInfo, RelationKind
from flowforge_spark import arrow
from flowforge_spark.catalogue import Standing
from flowforge_spark.content import content_query, content_token
from flowforge_spark.dialect import exactly
from flowforge_spark.options import Layout, check
from flowforge_spark.pointers import Pointer
from flowforge_spark.state import WRITING, StateTables

_QUERY = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(?:SELECT|WITH|VALUES|FROM|TABLE)\b", re.IGNORECASE | re.DOTALL)
FRAME = "spark"
"""What a Python model calls Spark's own DataFrames."""


class SparkSession(StateTables):
    """A session of its own, with its own settings and temporary views."""

    # statements

    def execute(self, sql: str) -> Stats:
        """Commands run when they are said; a query has to be asked for its rows."""
        with self._statements.running(sql):
            frame = self.spark.sql(sql)
            if _QUERY.match(sql):
                frame.toArrow()
        return Stats()

    def query(self, sql: str) -> pa.RecordBatchReader:
        """All rows are fetched before the first is given on."""

        def fetch() -> pa.RecordBatchReader:
            with self._statements.running(sql):
                return arrow.reader_of(self.spark.sql(sql).toArrow())

        return self._again(fetch)

    # writing

    def create_as(
        self, relation: Relation, select: str, kind: CreateKind, options: TableOptions = TableOptions()
    ) -> Stats:
        """By Spark's writer, so that positions in errors are those in *select*."""
        check(options, kind)
        with self._statements.running(select):
            frame = self.spark.sql(select)
            fields = frame.schema
        if kind is CreateKind.TEMP:
            with self._statements.running(select):
                rows = frame.toArrow()
                self.spark.createDataFrame(rows, fields).createOrReplaceTempView(self._temporary(relation))
            return Stats(rows.num_rows)
        self._refuse_taken(relation)
        if kind is CreateKind.VIEW:
            self._do(f"CREATE VIEW {self._sql(relation)} AS {select}")
            self._furnish(relation, options)
            return Stats()
        if any(field.dataType.typeName() == "void" for field in fields):
            frame = frame.selectExpr(*(_stored(field) for field in fields))
        self._create(relation, options, frame, select)
        self._furnish(relation, options)
        return Stats()

    def _temporary(self, relation: Relation) -> str:
        """The name of a temporary view, as Spark's methods want it: some take it as it is, others parse it."""
        name = self._dialect.fold(relation.name)
        return name if name.isidentifier() and name.isascii() else self._dialect.quote(name)

    def load(
        self, relation: Relation, reader: pa.RecordBatchReader, mode: LoadMode, options: TableOptions = TableOptions()
    ) -> int:
        """Arrow tables of some 64 MB, one after the other: the first makes the table, the others are added."""
        check(options)
        names = [self._dialect.fold(name) for name in reader.schema.names]
        if len(set(names)) < len(names):
            raise EngineError("two of the columns have one name", kind=ErrorKind.DUPLICATE)
        if mode is LoadMode.APPEND:
            return self._append(relation, reader, names)
        self._refuse_taken(relation)
        types = [self._dialect.type_name(field.type) for field in reader.schema]
        fields = self._fields(names, types)
        count = 0
        try:
            for table in arrow.chunks(reader, names):
                with self._statements.running():
                    frame = self.spark.createDataFrame(table, fields)
                if count == 0:
                    self._create(relation, options, frame)
                else:
                    self._insert(relation, frame)
                count += table.num_rows
        except pa.ArrowInvalid as exc:
            self._remove_half(relation, started=count > 0)
            raise _does_not_fit(exc) from exc
        except BaseException:
            self._remove_half(relation, started=count > 0)
            raise
        if count == 0:
            with self._statements.running():
                nothing = [
                    f"CAST(NULL AS {type_}) AS {exactly(name)}" for name, type_ in zip(names, types, strict=True)
                ]
                frame = self.spark.sql(f"SELECT {', '.join(nothing)} LIMIT 0")
            self._create(relation, options, frame)
        self._furnish(relation, options)
        return count

    def _remove_half(self, relation: Relation, *, started: bool) -> None:
        if started:
            with contextlib.suppress(Exception):
                self.drop(relation, RelationKind.TABLE)

    def _fields(self, names: Sequence[str], types: Sequence[str]) -> Any:
        """Spark's own schema of columns."""
        columns = ", ".join(
            f"CAST(NULL AS {type_}) AS {exactly(name)}" for name, type_ in zip(names, types, strict=True)
        )
        with self._statements.running():
            return self.spark.sql(f"SELECT {columns}").schema

    def _append(self, relation: Relation, reader: pa.RecordBatchReader, names: list[str]) -> int:
        standing = self._standing(relation)
        if standing is None:
            raise EngineError(f"there is no table {relation}", kind=ErrorKind.MISSING)
        by_name = {self._dialect.fold(field.name): field for field in self._fields_of(relation)}
        for name in names:
            if name not in by_name:
                raise EngineError(f"{relation} has no column {name}", kind=ErrorKind.MISSING)
        fields = type(self._fields_of(relation))([by_name[name] for name in names])
        wanted = arrow.schema_of(fields)
        count = 0
        for table in arrow.chunks(reader, [field.name for field in fields]):
            try:
                fitting = table.cast(wanted)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
                raise _does_not_fit(exc) from exc
            with self._statements.running():
                frame = self.spark.createDataFrame(fitting, fields)
            self._insert(relation, frame)
            count += table.num_rows
        return count

    def insert(self, relation: Relation, select: str, columns: Sequence[str]) -> Stats:
        """By name; columns that are not named become NULL."""
        with self._statements.running(select):
            frame = self.spark.sql(select)
            found = frame.schema  # so that what is wrong with the query is found before anything else
        given = {self._dialect.fold(field.name) for field in found}
        for name in columns:
            if self._dialect.fold(name) not in given:
                raise EngineError(f"the query has no column {name}", kind=ErrorKind.MISSING)
        wanted = ", ".join(self._dialect.quote(name) for name in columns)
        with self._statements.running(select):
            self._insert(relation, frame.selectExpr(*(self._dialect.quote(name) for name in columns)), select)
        del wanted
        return Stats()

    def _insert(self, relation: Relation, frame: Any, select: str | None = None) -> None:
        """Append a frame's columns by name."""
        with WRITING if not self._shares_state else contextlib.nullcontext():
            place = self._rows_of(relation)
            fields = self._fields_of(place)
            given = {self._dialect.fold(name): name for name in frame.columns}
            if unknown := given.keys() - {self._dialect.fold(field.name) for field in fields}:
                raise EngineError(f"{relation} has no column {min(unknown)}", kind=ErrorKind.MISSING)
            columns = []
            for field in fields:
                name = given.get(self._dialect.fold(field.name))
                value = exactly(name) if name else f"CAST(NULL AS {field.dataType.simpleString()})"
                columns.append(f"{value} AS {exactly(field.name)}")
            with self._statements.running(select):
                frame.selectExpr(*columns).write.insertInto(self._sql(place))

    def merge(self, relation: Relation, staged: Relation, key: Sequence[str], columns: Sequence[str]) -> Stats:
        """One commit, where the table's format can change rows."""
        if self._is_pointer(relation):
            raise UnsupportedError(f"{relation} is of a format whose rows cannot be changed")
        quote = self._dialect.quote
        on = " AND ".join(f"ff_old.{quote(name)} = ff_new.{quote(name)}" for name in key)
        changed = [name for name in columns if name not in key]
        sql = f"MERGE INTO {self._sql(relation)} AS ff_old USING {self._sql(staged)} AS ff_new ON {on}"
        if changed:
            sets = ", ".join(f"ff_old.{quote(name)} = ff_new.{quote(name)}" for name in changed)
            sql += f" WHEN MATCHED THEN UPDATE SET {sets}"
        names, values = (", ".join(f"{alias}{quote(name)}" for name in columns) for alias in ("", "ff_new."))
        self._do(f"{sql} WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})")
        return Stats()

    def drop(self, relation: Relation, kind: RelationKind) -> None:
        """Only what is of that kind; the rows of a table behind a view go with it."""
        standing = self._standing(relation)
        if standing is None or standing.kind is not kind:
            return
        if standing.temporary:
            with self._statements.running():
                self.spark.catalog.dropTempView(self._dialect.fold(relation.name))
            return
        self._remove(relation, standing)

    def replace(self, staged: Relation, target: Relation) -> None:
        """Move the target's view, or overwrite the target in one commit, as the staged table's format has it."""
        new, old = self._standing(staged), self._standing(target)
        if new is None:
            raise EngineError(f"there is no table {staged}", kind=ErrorKind.MISSING)
        if new.pointer is not None:
            self._repoint(staged, new.pointer, target, old)
            return
        if old is not None and old.is_view:
            self._remove(target, old)
        layout = self._layouts.get(staged) or Layout.of(TableOptions(), self._settings)
        with self._statements.running():
            writer = layout.writer(self.spark.table(self._sql(staged)), self._dialect, location=layout.options.location)
            writer.mode("overwrite").option("overwriteSchema", "true").saveAsTable(self._sql(target))
        self._layouts[target] = layout
        self._do(f"DROP TABLE IF EXISTS {self._sql(staged)}")
        self._layouts.pop(staged, None)

    def _repoint(self, staged: Relation, new: Pointer, target: Relation, old: Standing | None) -> None:
        before = old.pointer if old is not None else None
        if old is not None and not old.is_view:
            self._remove(target, old)
            old = None
        self._point(target, Pointer(new.rows, before.rows if before else None), old)
        self._do(f"DROP VIEW IF EXISTS {self._sql(staged)}")
        if before is not None and before.before is not None:
            self._do(f"DROP TABLE IF EXISTS {self._sql(target.renamed(before.before))}")
        self._layouts.pop(staged, None)

    def replace_view(self, target: Relation, select: str) -> Stats:
        """One statement where a view stands; a table has to go first."""
        with self._statements.running(select):
            self.spark.sql(select).schema  # noqa: B018 - the position of a mistake is known only here
        standing = self._standing(target)
        if standing is not None and standing.kind is RelationKind.VIEW:
            try:
                self._do(f"ALTER VIEW {self._sql(target)} AS {select}")
                return Stats()
            except EngineError as error:
                if error.kind is not ErrorKind.UNSUPPORTED:
                    raise
            self._do(f"CREATE OR REPLACE VIEW {self._sql(target)} AS {select}")
            return Stats()
        if standing is not None:
            self._remove(target, standing)
        self._do(f"CREATE VIEW {self._sql(target)} AS {select}")
        return Stats()

    def ensure_schema(self, relation: Relation) -> None:
        """Quiet when it is there."""
        place = self._catalogue.place(relation).removesuffix(".")
        if place:
            self._do(f"CREATE SCHEMA IF NOT EXISTS {place}")

    # beside rows

    def apply_options(self, relation: Relation, options: TableOptions) -> None:
        """A comment can be given later; how a table is laid out is settled when it is made."""
        check(options)
        self._furnish(relation, options)

    def _furnish(self, relation: Relation, options: TableOptions) -> None:
        if options.comment is not None:
            self.comment(relation, options.comment, {})

    def comment(self, relation: Relation, text: str | None, columns: Mapping[str, str]) -> None:
        """A view's comment is one of its properties; columns of a table behind a view have theirs on the rows."""
        standing = self._standing(relation)
        if standing is None:
            raise EngineError(f"there is no relation {relation}", kind=ErrorKind.MISSING)
        name, literal = self._sql(relation), self._dialect.literal
        if not standing.is_view:
            self._do(f"COMMENT ON TABLE {name} IS {literal(text or '')}")
        elif text:
            self._do(f"ALTER VIEW {name} SET TBLPROPERTIES ('comment' = {literal(text)})")
        else:
            self._do(f"ALTER VIEW {name} UNSET TBLPROPERTIES IF EXISTS ('comment')")
        if columns and standing.kind is RelationKind.VIEW:
            raise UnsupportedError("the columns of a view of Spark get comments only when it is made")
        rows = self._sql(self._rows_of(relation))
        for column, comment in columns.items():
            self._do(f"ALTER TABLE {rows} ALTER COLUMN {self._dialect.quote(column)} COMMENT {literal(comment)}")
        if columns and standing.pointer is not None:
            self._point(relation, standing.pointer, standing)  # a view copies them when its text is set

    def comments(self, relation: Relation) -> tuple[str | None, Mapping[str, str]]:
        """From Spark's catalogue."""
        standing = self._standing(relation)
        if standing is None:
            raise EngineError(f"there is no relation {relation}", kind=ErrorKind.MISSING)
        with self._statements.running():
            return self._catalogue.comments(relation, standing)

    # looking

    def schema_of(self, what: Relation | str) -> pa.Schema | None:
        """Spark analyses without running."""
        if isinstance(what, str):
            with self._statements.running(what):
                return arrow.schema_of(self.spark.sql(what).schema)
        try:
            return arrow.schema_of(self._fields_of(what))
        except EngineError as error:
            if error.kind is ErrorKind.MISSING and self._standing(what) is None:
                return None
            raise

    def layout(self, relation: Relation) -> str | None:
        """In Spark's words; ``None`` also for a view that reads what is gone."""
        try:
            fields = self._fields_of(relation)
        except EngineError as error:
            if error.kind is ErrorKind.MISSING:
                return None
            raise
        return ", ".join(f"{exactly(field.name)} {field.dataType.simpleString()}" for field in fields)

    def relations(self, namespace: Namespace) -> Sequence[RelationInfo]:
        """From Spark's catalogue; tables of rows behind views are not shown."""
        with self._statements.running():
            return self._catalogue.relations(namespace)

    def kind_of(self, relation: Relation) -> RelationKind | None:
        """One look, without a list."""
        standing = self._standing(relation)
        return standing.kind if standing is not None else None

    def content_hash(self, relation: Relation) -> str | None:
        """Two sums of hashes; ``None`` where a column holds lists, maps or structs."""
        fields = self._fields_of(relation)
        query = content_query(fields, self._sql(relation))
        if query is None:
            return None
        with self._statements.running():
            (row,) = self.spark.sql(query).toArrow().to_pylist()
        return content_token(self.layout(relation) or "", row)

    # frames

    def frame(self, relation: Relation, columns: Sequence[str] | None, kind: str, select: str) -> Any:
        """Spark's own DataFrame, which nothing is fetched for."""
        if kind != FRAME:
            raise UnsupportedError(f"Spark has no {kind} frames", help=f"use frame='{FRAME}', 'arrow' or 'pandas'")
        with self._statements.running(select):
            return self.spark.sql(select)

    def load_frame(self, relation: Relation, frame: Any, options: TableOptions = TableOptions()) -> int | None:
        """Write a DataFrame of Spark where it is; the rows stay there."""
        if type(frame).__module__.partition(".")[0] != "pyspark" or type(frame).__name__ != "DataFrame":
            return None
        check(options)
        with self._statements.running():
            fields = frame.schema
        self._refuse_taken(relation)
        if any(field.dataType.typeName() == "void" for field in fields):
            frame = frame.selectExpr(*(_stored(field) for field in fields))
        self._create(relation, options, frame)
        with self._statements.running():
            (row,) = self.spark.sql(f"SELECT count(*) AS n FROM {self._sql(relation)}").toArrow().to_pylist()
        return int(row["n"])

    # control

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Spark has none: every statement stands for itself."""
        yield

    def cancel(self) -> None:
        """End the statement by its tag."""
        self._statements.stop()

    def close(self) -> None:
        """Give the session of Spark back."""
        if not self._statements.closed:
            self._statements.closed = True
            with contextlib.suppress(Exception):  # a server that is gone has let go already
                self._release(self.spark)


def _stored(field: Any) -> str:
    """A column of a query as a table can keep it."""
    name = exactly(field.name)
    return f"CAST({name} AS STRING) AS {name}" if field.dataType.typeName() == "void" else name


def _does_not_fit(exc: Exception) -> EngineError:
    return EngineError(f"a value does not fit into its column: {exc}", kind=ErrorKind.TYPE)
