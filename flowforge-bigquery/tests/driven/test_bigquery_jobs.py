"""What the service is asked, word by word: an emulator would pass over most of it without a sign."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import attrs
import pyarrow as pa
import pytest
from google.api_core import exceptions as api
from google.cloud import bigquery

from flowforge.contract import CreateKind, LoadMode, TableOptions
from flowforge.errors import Committed, EngineError, ErrorKind, UnsupportedError
from flowforge.values import Namespace, Relation, RelationKind
from flowforge_bigquery.executor import BigQueryExecutor

Make = Callable[..., BigQueryExecutor]
T = Relation("t", "d", "p")


def described(name: str, *fields: tuple[str, str], kind: str = "TABLE", **more: Any) -> Any:
    resource = {
        "tableReference": {"projectId": "p", "datasetId": "d", "tableId": name},
        "type": kind,
        "schema": {"fields": [{"name": one, "type": type_} for one, type_ in fields]},
        "numRows": "3",
        "numBytes": "24",
        "etag": "e1",
        "lastModifiedTime": "1704067200000",
        **more,
    }
    return bigquery.Table.from_api_repr(resource)


def test_every_job_has_labels_limits_and_utc(recording: Any, make: Make) -> None:
    executor = make(labels={"team": "x"}, maximum_bytes_billed=1000, priority="batch")
    executor.session(label="flowforge/Run-1/Orders.ff", timeout=2.5).execute("SELECT 1")
    (job,) = recording.jobs
    assert job.config.labels == {"team": "x", "flowforge_run": "run-1", "flowforge_node": "orders_ff"}
    assert job.config.maximum_bytes_billed == 1000
    assert job.config.priority == "BATCH"
    assert int(job.config.job_timeout_ms) == 2500
    assert job.config.default_dataset.dataset_id == "d"
    assert [(one.key, one.value) for one in job.config.connection_properties] == [("time_zone", "UTC")]
    assert not job.config.dry_run


def test_an_estimate_is_a_dry_run(recording: Any, make: Make) -> None:
    def answer(job: Any) -> None:
        job.total_bytes_processed = 4096

    recording.script = answer
    assert make().session(label="x").estimate("SELECT * FROM t") == 4096
    assert recording.jobs[0].config.dry_run
    assert recording.jobs[0].config.use_query_cache is False


def test_the_schema_of_a_query_is_a_dry_run(recording: Any, make: Make) -> None:
    def answer(job: Any) -> None:
        job.schema = (bigquery.SchemaField("n", "NUMERIC"), bigquery.SchemaField("a", "INT64", "REPEATED"))

    recording.script = answer
    session = make().session(label="x")
    schema = session.schema_of("SELECT 1")
    assert isinstance(schema, pa.Schema)
    assert [str(field.type) for field in schema] == ["decimal128(38, 9)", "list<item: int64>"]
    assert session.column_types("SELECT 1") == {"n": "NUMERIC", "a": "ARRAY<INT64>"}
    assert all(job.config.dry_run for job in recording.jobs)


def test_rows_are_loaded_by_one_job_from_one_file(recording: Any, make: Make) -> None:
    executor = make(labels={"team": "x"})
    rows = pa.table({"id": [1, 2], "at": pa.array([0, 1], pa.timestamp("s"))})
    assert executor.session(label="flowforge/r1/n").load(T, rows.to_reader(max_chunksize=1), LoadMode.CREATE) == 2
    (created,) = recording.named("query")
    assert created == "CREATE TABLE `p`.`d`.`t` (`id` INT64, `at` DATETIME)"
    (config,) = recording.named("load")
    assert (config.source_format, config.write_disposition) == ("PARQUET", "WRITE_APPEND")
    assert config.create_disposition == "CREATE_NEVER"
    assert config.parquet_options.enable_list_inference
    assert config.labels == {"team": "x", "flowforge_run": "r1", "flowforge_node": "n"}
    assert not config.autodetect
    (file,) = recording.files
    assert file.num_rows == 2
    assert file.schema.field("at").type == pa.timestamp("us")


def test_a_load_that_fails_leaves_no_table(recording: Any, make: Make) -> None:
    def answer(job: Any) -> None:
        if not job.sql:
            job.error = api.Forbidden("Quota exceeded", errors=[{"reason": "quotaExceeded"}])

    recording.script = answer
    with pytest.raises(EngineError) as caught:
        make().session(label="x").load(T, pa.table({"id": [1]}).to_reader(), LoadMode.CREATE)
    assert caught.value.kind is ErrorKind.QUOTA
    assert recording.named("delete") == ["t"]


def test_a_table_takes_the_place_of_another_by_one_copy_job(recording: Any, make: Make) -> None:
    for name in ("staged", "t"):
        recording.tables[name] = described(name, ("id", "INTEGER"))
    make(labels={"team": "x"}).session(label="x").replace(T.renamed("staged"), T)
    assert [name for name, _ in recording.calls] == ["copy", "delete"]
    assert recording.named("copy") == [("staged", "t")]
    config = recording.jobs[0].config
    assert (config.write_disposition, config.create_disposition) == ("WRITE_TRUNCATE", "CREATE_IF_NEEDED")
    assert config.labels == {"team": "x"}
    assert recording.named("delete") == ["staged"]


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("VIEW", {}),
        ("TABLE", {"timePartitioning": {"type": "DAY", "field": "d"}}),
        ("TABLE", {"clustering": {"fields": ["id"]}}),
    ],
)
def test_what_a_copy_cannot_change_is_dropped_first(recording: Any, make: Make, kind: str, more: Any) -> None:
    recording.tables["staged"] = described("staged", ("id", "INTEGER"))
    recording.tables["t"] = described("t", ("id", "INTEGER"), kind=kind, **more)
    make().session(label="x").replace(T.renamed("staged"), T)
    assert [name for name, _ in recording.calls] == ["delete", "copy", "delete"]


def test_nothing_is_dropped_for_a_staged_table_that_is_gone(recording: Any, make: Make) -> None:
    recording.tables["t"] = described("t", ("id", "INTEGER"), kind="VIEW")
    with pytest.raises(EngineError):
        make().session(label="x").replace(T.renamed("staged"), T)
    assert recording.calls == []


def test_a_copy_whose_answer_is_lost_may_have_been_made(recording: Any, make: Make) -> None:
    for name in ("staged", "t"):
        recording.tables[name] = described(name, ("id", "INTEGER"))

    def answer(job: Any) -> None:
        job.error = api.ServiceUnavailable("the backend went away", errors=[{"reason": "backendError"}])

    recording.script = answer
    with pytest.raises(EngineError) as caught:
        make().session(label="x").replace(T.renamed("staged"), T)
    assert (caught.value.kind, caught.value.committed) == (ErrorKind.CONNECTION, Committed.UNKNOWN)


DAILY = {"timePartitioning": {"type": "DAY", "field": "d"}}
RANGED = {"rangePartitioning": {"field": "id", "range": {"start": "0", "end": "100", "interval": "10"}}}


@pytest.mark.parametrize(
    ("more", "options", "said"),
    [
        ({}, {}, ""),
        (DAILY, {"partition_by": ("D",)}, ""),
        (RANGED, {"partition_by": ("id",), "options": {"partition_range": [0, 100, 10]}}, ""),
        ({"clustering": {"fields": ["id"]}}, {"cluster_by": ("ID",)}, ""),
        ({}, {"options": {"partition_expiration_days": 7}}, " OPTIONS(partition_expiration_days=7)"),
    ],
    ids=["bare", "days", "ranges", "clusters", "options"],
)
def test_a_clone_is_one_statement(recording: Any, make: Make, more: Any, options: Any, said: str) -> None:
    recording.tables["t"] = described("t", ("id", "INTEGER"), ("d", "DATE"), **more)
    make().session(label="x").clone(T, T.renamed("copy"), TableOptions(**options))
    (sql,) = recording.named("query")
    assert sql == f"CREATE TABLE `p`.`d`.`copy` CLONE `p`.`d`.`t`{said}"


@pytest.mark.parametrize(
    ("more", "options"),
    [
        (DAILY, {}),
        (DAILY, {"partition_by": ("d",), "options": {"partition_granularity": "month"}}),
        (RANGED, {"partition_by": ("id",), "options": {"partition_range": [0, 100, 20]}}),
        ({}, {"partition_by": ("d",)}),
        ({}, {"cluster_by": ("id",)}),
        ({"clustering": {"fields": ["d", "id"]}}, {"cluster_by": ("id", "d")}),
        ({}, {"options": {"kms_key_name": "k"}}),
        ({"streamingBuffer": {"estimatedRows": "1"}}, {}),
        ({"kind": "EXTERNAL"}, {}),
        ({"kind": "VIEW"}, {}),
    ],
    ids=["no days", "months", "ranges", "days", "clusters", "order", "key", "streamed", "external", "view"],
)
def test_what_a_clone_would_not_be_is_refused_before_it_is_made(
    recording: Any, make: Make, more: Any, options: Any
) -> None:
    recording.tables["t"] = described("t", ("id", "INTEGER"), ("d", "DATE"), **more)
    with pytest.raises(UnsupportedError):
        make().session(label="x").clone(T, T.renamed("copy"), TableOptions(**options))
    assert recording.calls == []


@pytest.mark.parametrize("kinds", [("CLONE", "TABLE"), ("TABLE", "CLONE"), ("CLONE", "CLONE")], ids=str)
def test_a_clone_is_copied_like_any_table(recording: Any, make: Make, kinds: tuple[str, str]) -> None:
    for name, kind in zip(("staged", "t"), kinds, strict=True):
        recording.tables[name] = described(name, ("id", "INTEGER"), ("d", "DATE"), kind=kind, **DAILY)
    make().session(label="x").replace(T.renamed("staged"), T)
    assert [name for name, _ in recording.calls] == ["copy", "delete"]
    assert recording.named("delete") == ["staged"]


def test_a_statement_that_others_disturbed_is_tried_again(recording: Any, make: Make) -> None:
    def answer(job: Any) -> None:
        if len(recording.jobs) < 3:
            words = "Could not serialize access to table p:d.t due to concurrent update"
            job.error = api.BadRequest(words, errors=[{"reason": "invalidQuery"}])

    recording.script = answer
    make().session(label="x").execute("UPDATE t SET a = 1 WHERE TRUE")
    assert len(recording.jobs) == 3


def test_trying_again_has_an_end(recording: Any, make: Make) -> None:
    def answer(job: Any) -> None:
        job.error = api.BadRequest("Could not serialize access", errors=[{"reason": "invalidQuery"}])

    recording.script = answer
    with pytest.raises(EngineError) as caught:
        make(conflict_timeout=0.5).session(label="x").execute("UPDATE t SET a = 1 WHERE TRUE")
    assert (caught.value.kind, caught.value.retryable) == (ErrorKind.DEADLOCK, True)


def test_cancelling_cancels_the_job(recording: Any, make: Make) -> None:
    begun = threading.Event()

    def answer(job: Any) -> None:
        job.waits = True
        begun.set()

    recording.script = answer
    session = make().session(label="x")
    caught: list[EngineError] = []

    def work() -> None:
        try:
            session.execute("SELECT 1")
        except EngineError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(30)
    while thread.is_alive():
        session.cancel()
        thread.join(0.05)
    assert [error.kind for error in caught] == [ErrorKind.CANCELLED]
    assert recording.named("cancel") == ["job0"]


def test_a_statement_that_takes_too_long_is_cancelled(recording: Any, make: Make) -> None:
    def answer(job: Any) -> None:
        job.waits = True

    recording.script = answer
    with pytest.raises(EngineError) as caught:
        make().session(label="x", timeout=0.2).execute("SELECT 1")
    assert caught.value.kind is ErrorKind.TIMEOUT
    assert recording.named("cancel") == ["job0"]


@attrs.define
class Standing:
    job_id: str
    state: str
    labels: dict[str, str]
    project: str = "p"
    location: str = "EU"


def test_jobs_of_dead_runs_are_cancelled_and_no_others(recording: Any, make: Make) -> None:
    recording.standing_jobs = [
        Standing("one", "running", {"flowforge_run": "dead"}),
        Standing("two", "pending", {"flowforge_run": "dead"}),
        Standing("three", "running", {"flowforge_run": "alive"}),
        Standing("four", "running", {}),
    ]
    executor = make()
    assert executor.reap([]) == 0
    assert executor.reap(["Dead"]) == 2
    assert recording.named("cancel") == ["one", "two"]


def test_a_temporary_table_opens_a_session_of_the_service(recording: Any, make: Make) -> None:
    @attrs.define
    class Info:
        session_id: str = "s1"

    def answer(job: Any) -> None:
        if job.config.create_session:
            job.session_info = Info()

    recording.script = answer
    session = make().session(label="x")
    session.create_as(Relation("scratch"), "SELECT 1 AS id", CreateKind.TEMP)
    session.close()
    texts = recording.named("query")
    assert texts[1] == "CREATE TEMP TABLE `scratch` AS\nSELECT 1 AS id"
    assert texts[2:] == ["DROP TABLE IF EXISTS `scratch`;", "CALL BQ.ABORT_SESSION();"]
    for job in recording.jobs[1:]:
        assert ("session_id", "s1") in [(one.key, one.value) for one in job.config.connection_properties]
        assert job.config.default_dataset is None, "a name that stands alone is the temporary table's"


def test_partitions_clusters_and_labels_are_there_from_the_beginning(recording: Any, make: Make) -> None:
    def answer(job: Any) -> None:
        job.schema = (bigquery.SchemaField("at", "TIMESTAMP"), bigquery.SchemaField("id", "INTEGER"))

    recording.script = answer
    recording.tables["t"] = described("t", ("id", "INTEGER"))
    wanted = TableOptions(partition_by=("AT",), cluster_by=("id",), options={"labels": {"team": "x"}})
    session = make().session(label="x")
    assert session.create_as(T, "SELECT 1", CreateKind.TABLE, wanted).rows == 3
    head = "CREATE TABLE `p`.`d`.`t` PARTITION BY TIMESTAMP_TRUNC(`AT`, DAY) CLUSTER BY `id` OPTIONS(labels=[('team', 'x')])"
    assert recording.named("query")[-1] == f"{head} AS\nSELECT 1"


def test_a_standing_table_gets_other_clusters_and_no_other_partitions(recording: Any, make: Make) -> None:
    recording.tables["t"] = described("t", ("id", "INTEGER"), timePartitioning={"type": "DAY", "field": "at"})
    session = make().session(label="x")
    session.apply_options(T, TableOptions(partition_by=("at",), cluster_by=("id",)))
    assert recording.named("update") == [["clustering_fields"]]
    with pytest.raises(UnsupportedError, match="partitioned by at"):
        session.apply_options(T, TableOptions(partition_by=("id",)))


def test_descriptions_go_through_the_tables_record(recording: Any, make: Make) -> None:
    recording.tables["t"] = described("t", ("id", "INTEGER"))
    session = make().session(label="x")
    session.comment(T, "words", {"ID": "key"})
    assert recording.named("update") == [["description", "schema"]]
    assert session.comments(T) == ("words", {"id": "key"})


def test_the_state_of_a_source(recording: Any, make: Make) -> None:
    session = make().session(label="x")
    assert session.source_state(T) is None
    recording.tables["t"] = described("t", ("id", "INTEGER"))
    first = session.source_state(T)
    assert first is not None
    recording.tables["t"] = described("t", ("id", "INTEGER"), lastModifiedTime="1704067200001")
    assert session.source_state(T) not in (None, first)
    for unknown in (
        described("t", kind="VIEW"),
        described("t", kind="EXTERNAL"),
        described("t", ("id", "INTEGER"), streamingBuffer={"estimatedRows": "1"}),
    ):
        recording.tables["t"] = unknown
        assert session.source_state(T) is None


def test_datasets_are_made_where_the_profile_allows_it(recording: Any, make: Make) -> None:
    place = Relation("t", "new", "p")
    with pytest.raises(EngineError, match="there is no dataset new") as caught:
        make().session(label="x").ensure_schema(place)
    assert "allow_create_dataset" in str(caught.value.help)
    executor = make(allow_create_dataset=True, location="EU")
    for _ in range(2):
        executor.session(label="x").ensure_schema(place)
    assert recording.named("create dataset") == [("new", "EU")]


def test_a_missing_dataset_is_named_at_once(recording: Any, make: Make) -> None:
    recording.datasets = set()
    with pytest.raises(EngineError, match="no dataset d in the project p") as caught:
        make()
    assert caught.value.kind is ErrorKind.MISSING
    assert recording.named("close") == [None]


def test_kinds_are_told_apart(recording: Any, make: Make) -> None:
    for kind in ("TABLE", "VIEW", "MATERIALIZED_VIEW", "EXTERNAL"):
        recording.tables[kind] = described(kind, kind=kind)
    found = make().session(label="x").relations(Namespace("d", "p"))
    assert {info.relation.name: info.kind for info in found} == {
        "EXTERNAL": RelationKind.TABLE,
        "MATERIALIZED_VIEW": RelationKind.MATERIALIZED_VIEW,
        "TABLE": RelationKind.TABLE,
        "VIEW": RelationKind.VIEW,
    }


def test_rows_are_not_hashed_where_the_profile_does_without(recording: Any, make: Make) -> None:
    assert make(compare_rows=False).session(label="x").content_hash(T) is None
    assert recording.jobs == []


def test_types_that_have_no_exact_text_have_no_hash(recording: Any, make: Make) -> None:
    for fields in ([("g", "GEOGRAPHY")], [("i", "INTERVAL")]):
        recording.tables["t"] = described("t", *fields)
        assert make().session(label="x").content_hash(T) is None
    assert recording.jobs == []


def test_frames_that_the_profile_does_not_want(make: Make) -> None:
    with pytest.raises(UnsupportedError, match="use_bigframes"):
        make(use_bigframes=False).session(label="x").frame(T, None, "bigframes", "SELECT 1")


def test_frames_that_are_not_installed_say_what_to_install(make: Make) -> None:
    with pytest.raises(ImportError, match=r"flowforge-bigquery\[bigframes\]"):
        make().session(label="x").frame(T, None, "bigframes", "SELECT 1")
