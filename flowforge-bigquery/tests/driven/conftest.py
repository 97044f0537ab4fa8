"""A client that records what it is asked, in place of the service; and the emulator, where one runs beside us."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import IO, Any

import attrs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.api_core import exceptions as api

from flowforge_bigquery.executor import BigQueryExecutor
from flowforge_bigquery.settings import BigQuerySettings


@attrs.define
class Result:
    """The rows of a job."""

    schema: list[Any]
    table: pa.Table

    def to_arrow_iterable(self, bqstorage_client: Any = None) -> Iterator[pa.RecordBatch]:
        yield from self.table.to_batches()


@attrs.define
class Job:
    """A job as far as it is asked for anything."""

    job_id: str
    config: Any
    sql: str = ""
    answer: Any = None
    error: Exception | None = None
    waits: bool = False
    labels: dict[str, str] = attrs.field(factory=dict)
    project: str = "p"
    location: str = "EU"
    schema: Any = ()
    num_dml_affected_rows: int | None = None
    total_bytes_processed: int | None = 0
    session_info: Any = None
    over: threading.Event = attrs.field(factory=threading.Event)

    def result(self, timeout: float | None = None, **kwargs: Any) -> Any:
        if self.waits and not self.over.wait(timeout):
            raise TimeoutError
        if self.error is not None:
            raise self.error
        return self.answer


@attrs.define
class Recording:
    """Stands in for ``google.cloud.bigquery.Client``; *script* answers queries."""

    script: Callable[[Job], None] = lambda job: None
    project: str = "p"
    calls: list[tuple[str, Any]] = attrs.field(factory=list)
    tables: dict[str, Any] = attrs.field(factory=dict)
    datasets: set[str] = attrs.field(factory=lambda: {"d"})
    jobs: list[Job] = attrs.field(factory=list)
    files: list[pa.Table] = attrs.field(factory=list)
    standing_jobs: list[Any] = attrs.field(factory=list)

    def _job(self, call: str, config: Any, sql: str = "") -> Job:
        job = Job(f"job{len(self.jobs)}", config, sql, Result([], pa.table({})))
        self.jobs.append(job)
        self.calls.append((call, sql or config))
        self.script(job)
        return job

    def query(self, query: str, job_config: Any = None, **kwargs: Any) -> Job:
        assert kwargs["job_retry"] is None, "a statement is never repeated by the client"
        assert kwargs["retry"].timeout is not None
        return self._job("query", job_config, query)

    def load_table_from_file(self, file_obj: IO[bytes], destination: Any, **kwargs: Any) -> Job:
        assert kwargs["size"] is None, "only a resumable upload may be interrupted"
        self.files.append(pq.read_table(file_obj))
        return self._job("load", kwargs["job_config"])

    def copy_table(self, sources: Any, destination: Any, **kwargs: Any) -> Job:
        job = self._job("copy", kwargs["job_config"])
        self.calls[-1] = ("copy", (sources.table_id, destination.table_id))
        return job

    def cancel_job(self, job_id: str, **kwargs: Any) -> None:
        self.calls.append(("cancel", job_id))
        for job in self.jobs:
            if job.job_id == job_id:
                job.error = api.BadRequest("Job execution was cancelled", errors=[{"reason": "stopped"}])
                job.over.set()

    def list_jobs(self, **kwargs: Any) -> list[Any]:
        assert kwargs["all_users"] is False, "jobs of others are none of our business"
        return [job for job in self.standing_jobs if job.state == kwargs["state_filter"]]

    def get_table(self, table: Any, **kwargs: Any) -> Any:
        found = self.tables.get(table.table_id)
        if found is None:
            raise api.NotFound("Not found: Table")
        return found

    def list_tables(self, dataset: Any, **kwargs: Any) -> list[Any]:
        return list(self.tables.values())

    def update_table(self, table: Any, fields: Any, **kwargs: Any) -> Any:
        self.calls.append(("update", list(fields)))
        return table

    def delete_table(self, table: Any, **kwargs: Any) -> None:
        self.calls.append(("delete", table.table_id))
        self.tables.pop(table.table_id, None)

    def get_dataset(self, dataset_ref: Any, **kwargs: Any) -> Any:
        if dataset_ref.dataset_id not in self.datasets:
            raise api.NotFound("Not found: Dataset")
        return dataset_ref

    def create_dataset(self, dataset: Any, **kwargs: Any) -> Any:
        self.calls.append(("create dataset", (dataset.dataset_id, dataset.location)))
        self.datasets.add(dataset.dataset_id)
        return dataset

    def close(self) -> None:
        self.calls.append(("close", None))

    def named(self, call: str) -> list[Any]:
        """What came with each call of one name."""
        return [what for name, what in self.calls if name == call]


@pytest.fixture
def recording() -> Recording:
    """A client that was asked nothing yet."""
    return Recording()


@pytest.fixture
def make(recording: Recording) -> Callable[..., BigQueryExecutor]:
    """Makes an executor over the recording; settings as keywords."""

    def executor(**settings: Any) -> BigQueryExecutor:
        return BigQueryExecutor(BigQuerySettings(**{"project": "p", "dataset": "d", **settings}), recording)

    return executor


@pytest.fixture
def emulator() -> str:
    """The address of the emulator."""
    address = os.environ.get("FF_TEST_BIGQUERY_ENDPOINT")
    if not address:
        pytest.skip("FF_TEST_BIGQUERY_ENDPOINT is not set: run beside python -m flowforge_test_servers.bigquery")
    return address
