"""A session: jobs of one label, one after the other, and the primitives made of them."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from google.api_core import exceptions as api
from google.cloud import bigquery

from flowforge.contract import CreateKind, LoadMode, Session, Stats, TableOptions
from flowforge.errors import EngineError, ErrorKind, UnsupportedError
from flowforge.values import Namespace, Relation, RelationInfo, RelationKind
from flowforge_bigquery import columns as columns_of
from flowforge_bigquery import content, frames, loading
from flowforge_bigquery import options as options_of
from flowforge_bigquery.errors import Attempt, is_conflict, is_driver_error, translate
from flowforge_bigquery.reading import Rows
from flowforge_bigquery.service import Service, labels_of
from flowforge_bigquery.watch import Watch

if TYPE_CHECKING:
    import pyarrow as pa

    from flowforge_bigquery.dialect import BigQueryDialect

_KINDS = {"VIEW": RelationKind.VIEW, "MATERIALIZED_VIEW": RelationKind.MATERIALIZED_VIEW}
_TABLES = ("TABLE", "CLONE")  # a clone is a table like any other; the service calls it one, and others do not
_TRIES = 5  # for a description that others change at the same moment
_PAUSE = 0.2  # seconds, before a statement is tried again for the first time


class BigQuerySession(Session):
    """Every statement is a job of its own, and commits by itself.

    Parameters
    ----------
    label:
        ``flowforge/<run id>/<node>``, which becomes labels of the jobs.
    timeout:
        Seconds that one statement may take.
    """

    def __init__(self, service: Service, dialect: BigQueryDialect, *, label: str, timeout: float | None) -> None:
        self._service = service
        self._dialect = dialect
        self._label = label
        self._labels = labels_of(label)
        self._timeout = timeout if timeout is not None else service.settings.timeout
        self._watch = Watch(service.cancel)
        self._closed = threading.Event()
        self._session_id: str | None = None
        self._temporary: list[str] = []
        self._materialized: dict[Relation, str] = {}

    # statements

    @contextlib.contextmanager
    def _attempt(self, sql: str | None = None, offset: int = 0, *, writes: bool = False) -> Iterator[None]:
        """Everything that asks the service happens in here."""
        if self._closed.is_set():
            raise EngineError("this session is closed")
        self._watch.begin()
        try:
            yield
        except Exception as exc:
            if not (is_driver_error(exc) or isinstance(exc, TimeoutError)):
                raise
            late = self._timeout if self._timeout is not None and self._watch.took >= self._timeout else None
            raise translate(exc, Attempt(sql, offset, late, self._watch.stopped, writes)) from exc
        finally:
            self._watch.end()

    def _config(self, *, qualified: bool = False, **more: Any) -> Any:
        """In a session of the service's own, a name that stands alone is a temporary table's; *qualified*: none does."""
        more["connection_properties"] = [bigquery.ConnectionProperty("time_zone", "UTC")]  # whatever the project says
        if self._session_id is not None:
            more["connection_properties"].append(bigquery.ConnectionProperty("session_id", self._session_id))
        elif not qualified:
            more["default_dataset"] = f"{self._service.settings.project}.{self._service.settings.dataset}"
        return self._service.query_config(self._labels, self._timeout, **more)

    def _wait(self, job: Any) -> Any:
        """The job's result, or the end of the job when it takes too long."""
        self._watch.started(job)
        left = None if self._timeout is None else max(self._timeout - self._watch.took, 0.001)
        retry = self._service.retry
        try:
            if isinstance(job, bigquery.QueryJob) or hasattr(job, "num_dml_affected_rows"):
                return job.result(page_size=loading.PAGE, retry=retry, timeout=left, job_retry=None)
            return job.result(retry=retry, timeout=left)
        except TimeoutError:
            self._service.cancel(job)
            raise

    def _run(self, sql: str, offset: int = 0, **more: Any) -> Any:
        """Run a statement to its end, and once more while others write the same table; its job."""
        ends, pause = time.monotonic() + self._service.settings.conflict_timeout, _PAUSE
        while True:
            try:
                with self._attempt(sql, offset, writes=True):
                    job = self._service.start_query(sql, self._config(**more), self._timeout)
                    self._wait(job)
                    return job
            except EngineError as error:
                again = error.__cause__ is not None and is_conflict(error.__cause__) and time.monotonic() < ends
                if not again or self._closed.wait(pause * random.uniform(0.5, 1.5)):
                    raise
                pause = min(pause * 2, 5.0)

    def _select(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query of our own, in which all names are whole."""
        table = self._query(sql, qualified=True).read_all()
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    def execute(self, sql: str) -> Stats:
        """Run one statement, or several as a script."""
        job = self._run(sql)
        return Stats(rows=job.num_dml_affected_rows, bytes_scanned=job.total_bytes_processed)

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Rows come in pages, or through the Storage Read API when there are many."""
        return self._query(sql)

    def _query(self, sql: str, *, qualified: bool = False) -> pa.RecordBatchReader:
        with self._attempt(sql):
            job = self._service.start_query(sql, self._config(qualified=qualified), self._timeout)
            found = self._wait(job)
            return Rows(found, self._service.storage()).reader(lambda: self._attempt(sql))

    def estimate(self, sql: str) -> int | None:
        """The bytes that a statement would read, from a dry run, which costs nothing."""
        with self._attempt(sql):
            job = self._service.start_query(sql, self._config(dry_run=True, use_query_cache=False), self._timeout)
            return None if job.total_bytes_processed is None else int(job.total_bytes_processed)

    def _columns(self, select: str) -> Sequence[Any]:
        """The columns of a query, from a dry run."""
        with self._attempt(select):
            job = self._service.start_query(select, self._config(dry_run=True, use_query_cache=False), self._timeout)
            return tuple(job.schema or ())

    # writing

    def load(
        self, relation: Relation, reader: pa.RecordBatchReader, mode: LoadMode, options: TableOptions = TableOptions()
    ) -> int:
        """One Parquet file and one load job, so that all rows come or none."""
        types = {field.name.lower(): self._dialect.type_name(field.type) for field in reader.schema}
        head = self._table_head(relation, options, types, CreateKind.TABLE)
        names = {name.lower(): self._dialect.quote(name) for name in reader.schema.names}
        listed = ", ".join(f"{names[name]} {type_}" for name, type_ in types.items())
        with loading.parquet_file(reader) as (file, rows, schema):
            if mode is LoadMode.CREATE:
                self._run(head.replace("\0", f" ({listed})", 1))
            else:
                self._refuse_unknown(relation, schema)
            if rows:
                try:
                    self._load_file(relation, file)
                except BaseException:
                    if mode is LoadMode.CREATE:
                        with contextlib.suppress(Exception):
                            self._service.delete(relation)
                    raise
        return rows

    def _load_file(self, relation: Relation, file: Any) -> None:
        with self._attempt(writes=True):
            config = loading.config({**self._service.settings.labels, **self._labels})
            self._wait(self._service.start_load(file, relation, config))

    def _refuse_unknown(self, relation: Relation, schema: pa.Schema) -> None:
        """A load job would add columns, or pass over them, as it is told; we have neither."""
        standing = self._standing(relation)
        known = {field.name.lower(): field for field in standing.schema}
        for field in schema:
            found = known.get(field.name.lower())
            if found is None:
                raise EngineError(f"{relation} has no column {field.name}", kind=ErrorKind.MISSING)
            loading.refuse_misfit(field, columns_of.arrow_type(found))

    def _standing(self, relation: Relation) -> Any:
        with self._attempt():
            table = self._service.table(relation)
        if table is None:
            raise EngineError(f"there is no table {relation}", kind=ErrorKind.MISSING)
        return table

    def _table_head(
        self,
        relation: Relation,
        wanted: TableOptions,
        types: Mapping[str, str],
        kind: CreateKind,
        *,
        word: str = "TABLE",
    ) -> str:
        """``CREATE`` up to the query; where columns would stand is a NUL."""
        rest = options_of.clauses(wanted, types, self._dialect, kind)
        return f"CREATE {word} {self._dialect.render(relation)}\0{rest}"

    def create_as(
        self, relation: Relation, select: str, kind: CreateKind, options: TableOptions = TableOptions()
    ) -> Stats:
        """One statement; a temporary table opens a session of the service's own."""
        types: dict[str, str] = {}
        if options.partition_by:
            types = {one.name.lower(): columns_of.type_text(one) for one in self._columns(select)}
        word = {CreateKind.TEMP: "TEMP TABLE", CreateKind.MATERIALIZED_VIEW: "MATERIALIZED VIEW"}
        head = self._table_head(relation, options, types, kind, word=word.get(kind, kind.name))
        head = head.replace("\0", "", 1) + " AS\n"
        if kind is CreateKind.TEMP:
            self._open_session()
            self._temporary.append(self._dialect.render(relation))
        if kind is CreateKind.MATERIALIZED_VIEW:
            self._materialized[relation] = select
        job = self._run(head + select, len(head))
        if kind is not CreateKind.TABLE:
            return Stats(bytes_scanned=job.total_bytes_processed)
        made = self._standing(relation)
        return Stats(rows=made.num_rows, bytes_scanned=job.total_bytes_processed)

    def _open_session(self) -> None:
        if self._session_id is None:
            job = self._run("SELECT 1", create_session=True)
            self._session_id = job.session_info.session_id

    def apply_options(self, relation: Relation, options: TableOptions) -> None:
        """A description, and new clusters; partitions are there from the beginning."""
        options_of.check_options(options)
        if not options.named:
            return
        table = self._standing(relation)
        if table.table_type in _TABLES:
            self._refuse_other_partitions(relation, table, options)
            if options.cluster_by and [one.lower() for one in table.clustering_fields or ()] != [
                one.lower() for one in options.cluster_by
            ]:
                table.clustering_fields = list(options.cluster_by)
                with self._attempt():
                    self._service.update(table, ["clustering_fields"])
        if options.comment is not None:
            self.comment(relation, options.comment, {})

    def _refuse_other_partitions(self, relation: Relation, table: Any, options: TableOptions) -> None:
        standing = _partition_column(table)
        wanted = options.partition_by[0].lower() if options.partition_by else None
        if wanted is not None and wanted != (standing or "").lower():
            raise UnsupportedError(
                f"{relation} stands partitioned by {standing or 'nothing'}, not by {options.partition_by[0]}",
                help="build it anew from scratch, with --full-refresh",
            )

    def insert(self, relation: Relation, select: str, columns: Sequence[str]) -> Stats:
        """Append by name."""
        names = ", ".join(self._dialect.quote(column) for column in columns)
        head = f"INSERT INTO {self._dialect.render(relation)} ({names})\nSELECT {names} FROM (\n"
        job = self._run(f"{head}{select}\n) AS ff__rows", len(head))
        return Stats(rows=job.num_dml_affected_rows, bytes_scanned=job.total_bytes_processed)

    def merge(self, relation: Relation, staged: Relation, key: Sequence[str], columns: Sequence[str]) -> Stats:
        """One MERGE."""
        quote = self._dialect.quote
        on = " AND ".join(f"target.{quote(name)} = staged.{quote(name)}" for name in key)
        known = {name.lower() for name in key}
        updates = ", ".join(f"{quote(name)} = staged.{quote(name)}" for name in columns if name.lower() not in known)
        names = ", ".join(quote(name) for name in columns)
        values = ", ".join(f"staged.{quote(name)}" for name in columns)
        return self.execute(
            f"MERGE INTO {self._dialect.render(relation)} AS target USING {self._dialect.render(staged)} AS staged"
            f" ON ({on})"
            + (f" WHEN MATCHED THEN UPDATE SET {updates}" if updates else "")
            + f" WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})"
        )

    def clone(self, source: Relation, target: Relation, options: TableOptions = TableOptions()) -> None:
        """CREATE TABLE ... CLONE; a table that is laid out otherwise than *options* say has to be written anew."""
        table = self._standing(source)
        types = {field.name.lower(): columns_of.type_text(field) for field in table.schema}
        said = options_of.clone_clause(options, self._dialect)
        if table.table_type not in _TABLES:
            raise UnsupportedError(f"{source} is no table whose rows could be shared")
        if table.streaming_buffer is not None:
            raise UnsupportedError(f"rows are being streamed into {source}, and a clone would lack them")
        if options_of.shape(options, types, self._dialect) != _shape(table):
            raise UnsupportedError(f"{source} has other partitions or clusters")
        self._run(f"CREATE TABLE {self._dialect.render(target)} CLONE {self._dialect.render(source)}{said}")

    def drop(self, relation: Relation, kind: RelationKind) -> None:
        """Remove a relation, but never one that is something else than *kind* says."""
        if self.kind_of(relation) is kind:
            with self._attempt():
                self._service.delete(relation)

    def replace(self, staged: Relation, target: Relation) -> None:
        """One copy job, which moves no rows and which everybody sees as one step."""
        if staged in self._materialized:
            self._replace_materialized(staged, target)
            return
        new = self._standing(staged)
        with self._attempt(writes=True):
            old = self._service.table(target)
            if old is not None and (old.table_type not in _TABLES or _shape(old) != _shape(new)):
                self._service.delete(target)
            config = bigquery.CopyJobConfig(write_disposition="WRITE_TRUNCATE", create_disposition="CREATE_IF_NEEDED")
            config.labels = {**self._service.settings.labels, **self._labels}
            self._wait(self._service.start_copy(staged, target, config))
        with self._attempt():
            self._service.delete(staged)

    def _replace_materialized(self, staged: Relation, target: Relation) -> None:
        """They can be neither copied nor renamed, so one with the same query is made."""
        with self._attempt():
            if self._service.table(target) is not None:
                self._service.delete(target)
        head = f"CREATE MATERIALIZED VIEW {self._dialect.render(target)} AS\n"
        self._run(head + self._materialized.pop(staged), len(head))
        with self._attempt():
            self._service.delete(staged)

    def replace_view(self, target: Relation, select: str) -> Stats:
        """CREATE OR REPLACE, which BigQuery refuses where something else stands."""
        standing = self.kind_of(target)
        if standing not in (None, RelationKind.VIEW):
            with self._attempt():
                self._service.delete(target)
        head = f"CREATE OR REPLACE VIEW {self._dialect.render(target)} AS\n"
        self._run(head + select, len(head))
        return Stats()

    def ensure_schema(self, relation: Relation) -> None:
        """Create the dataset where the profile allows it."""

        def refuse() -> None:
            raise EngineError(
                f"there is no dataset {relation.schema or self._service.settings.dataset}",
                kind=ErrorKind.MISSING,
                help="correct dataset in the profile, create it, or let it be created: allow_create_dataset: true",
            )

        with self._attempt():
            self._service.ensure_dataset(relation, refuse)

    def comment(self, relation: Relation, text: str | None, columns: Mapping[str, str]) -> None:
        """Descriptions, through the table's own record."""
        for attempt in range(_TRIES):
            table = self._standing(relation)
            known = {field.name.lower(): field.name for field in table.schema}
            for name in columns:
                if name.lower() not in known:
                    raise EngineError(f"{relation} has no column {name}", kind=ErrorKind.MISSING)
            words = {known[name.lower()]: said for name, said in columns.items()}
            table.description = text
            changed = ["description"]
            if words:
                table.schema = [_described(field, words) for field in table.schema]
                changed.append("schema")
            try:
                with self._attempt():
                    self._service.update(table, changed)
                return
            except EngineError as error:
                if not isinstance(error.__cause__, api.PreconditionFailed) or attempt == _TRIES - 1:
                    raise

    def comments(self, relation: Relation) -> tuple[str | None, Mapping[str, str]]:
        """The descriptions of the table and of its columns."""
        table = self._standing(relation)
        return table.description or None, {one.name: one.description for one in table.schema if one.description}

    # looking

    def schema_of(self, what: Relation | str) -> pa.Schema | None:
        """Of a query, by a dry run."""
        if isinstance(what, str):
            return columns_of.arrow_schema(self._columns(what))
        with self._attempt():
            table = self._service.table(what)
        return None if table is None else columns_of.arrow_schema(table.schema)

    def column_types(self, select: str) -> Mapping[str, str]:
        """From a dry run; BigQuery says nothing of lengths and digits in what a query gives."""
        return {field.name: columns_of.type_text(field) for field in self._columns(select)}

    def type_word(self, type_: str) -> str | None:
        """From a dry run of a cast, which knows no lengths and digits either."""
        found = self.column_types(f"SELECT {self._dialect.cast('NULL', type_)} AS ff__type")
        return next(iter(found.values()))

    def relations(self, namespace: Namespace) -> Sequence[RelationInfo]:
        """From the list of a dataset, which is free."""
        with self._attempt():
            found = self._service.tables(Relation("", namespace.schema, namespace.database))
        listed = [
            RelationInfo(Relation(one.table_id, namespace.schema, namespace.database), _kind(one)) for one in found
        ]
        return sorted(listed, key=lambda info: info.relation.name)

    def kind_of(self, relation: Relation) -> RelationKind | None:
        """From the table's own record."""
        with self._attempt():
            table = self._service.table(relation)
        return None if table is None else _kind(table)

    def layout(self, relation: Relation) -> str | None:
        """From the table's own record, in the words of ``INFORMATION_SCHEMA``."""
        with self._attempt():
            table = self._service.table(relation)
        if table is None:
            return None
        return columns_of.layout_text((field.name, columns_of.type_text(field)) for field in table.schema)

    def layouts(self, namespace: Namespace) -> Mapping[str, str]:
        """From ``INFORMATION_SCHEMA``: one query, however many tables there are."""
        place = Relation("x", namespace.schema, namespace.database)
        with self._attempt():
            if not self._service.has_dataset(place):
                return {}
        view = self._dialect.render(place).removesuffix("`x`") + "INFORMATION_SCHEMA.COLUMNS"
        rows = self._select(f"SELECT table_name, column_name, data_type, ordinal_position FROM {view}")
        tables: dict[str, list[tuple[int, str, str]]] = {}
        for table, column, type_, position in rows:
            tables.setdefault(table, []).append((position, column, type_))
        return {
            table: columns_of.layout_text((column, type_) for _, column, type_ in sorted(found))
            for table, found in tables.items()
        }

    def content_hash(self, relation: Relation) -> str | None:
        """One scan, unless the profile does without."""
        if not self._service.settings.compare_rows:
            return None
        table = self._standing(relation)
        sql = content.summary(self._dialect.render(relation), table.schema)
        if sql is None:
            return None
        ((count, first, second),) = self._select(sql)
        layout = columns_of.layout_text((field.name, columns_of.type_text(field)) for field in table.schema)
        return content.token(layout, int(count), first, second)

    def source_state(self, relation: Relation) -> str | None:
        """When the table was last changed, to the millisecond, and how large it was left."""
        with self._attempt():
            table = self._service.table(relation)
        if table is None or table.table_type not in (*_TABLES, "SNAPSHOT") or table.streaming_buffer is not None:
            return None
        changed = table.modified
        return None if changed is None else f"{changed.timestamp():.6f}-{table.num_rows}-{table.num_bytes}-{table.etag}"

    # frames

    def frame(self, relation: Relation, columns: Sequence[str] | None, kind: str, select: str) -> Any:
        """A BigQuery DataFrame: nothing is read before somebody asks for rows."""
        if kind != frames.FRAME:
            return super().frame(relation, columns, kind, select)
        return frames.read(self._service, select)

    def load_frame(self, relation: Relation, frame: Any, options: TableOptions = TableOptions()) -> int | None:
        """Let BigQuery compute a DataFrame of its own into a table."""
        select = frames.select_of(frame)
        return None if select is None else self.create_as(relation, select, CreateKind.TABLE, options).rows

    # control

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """No transaction at all: every statement commits by itself."""
        yield

    def cancel(self) -> None:
        """Ask the service to end the job."""
        self._watch.cancel()

    def close(self) -> None:
        """Remove temporary tables, and end the service's own session, if there is one."""
        if self._closed.is_set():
            return
        if self._session_id is not None:
            script = [f"DROP TABLE IF EXISTS {name};" for name in self._temporary] + ["CALL BQ.ABORT_SESSION();"]
            for sql in script:
                with contextlib.suppress(EngineError):  # it ends by itself, a day later
                    self._run(sql)
        self._closed.set()


def _kind(table: Any) -> RelationKind:
    return _KINDS.get(table.table_type, RelationKind.TABLE)


def _partition_column(table: Any) -> str | None:
    span = table.range_partitioning or table.time_partitioning
    return None if span is None else str(span.field or "_PARTITIONTIME")


def _shape(table: Any) -> tuple[Any, ...]:
    """What a copy cannot change of a table that stands; in lower case, as columns have no case."""
    time_, range_ = table.time_partitioning, table.range_partitioning
    return (
        None if time_ is None else (time_.type_, None if time_.field is None else time_.field.lower()),
        None
        if range_ is None
        else (range_.field.lower(), range_.range_.start, range_.range_.end, range_.range_.interval),
        tuple(name.lower() for name in table.clustering_fields or ()),
    )


def _described(field: Any, words: Mapping[str, str]) -> Any:
    said = words.get(field.name)
    if said is None:
        return field
    return bigquery.SchemaField.from_api_repr({**field.to_api_repr(), "description": said})
