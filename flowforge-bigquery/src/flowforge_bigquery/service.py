"""The service, as far as we call it: jobs with our labels, and questions that cost nothing; none waits for long."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar

import attrs
from google.api_core import exceptions as api
from google.cloud import bigquery

from flowforge.values import Relation

if TYPE_CHECKING:
    from google.api_core.retry import Retry

    from flowforge_bigquery.settings import BigQuerySettings

T = TypeVar("T")
RUN, NODE = "flowforge_run", "flowforge_node"
_OTHER = re.compile(r"[^a-z0-9_-]+")
_LONGEST_ANSWER = 600.0  # seconds; the service answers long questions every ten seconds, an emulator when it is done
_DAY = 86400.0


class Client(Protocol):
    """What is called of ``google.cloud.bigquery.Client``; tests put a recording in its place."""

    project: str

    def query(self, query: str, job_config: Any = ..., **kwargs: Any) -> Any:
        """Start a query job."""

    def load_table_from_file(self, file_obj: IO[bytes], destination: Any, **kwargs: Any) -> Any:
        """Upload a file and start a load job."""

    def copy_table(self, sources: Any, destination: Any, **kwargs: Any) -> Any:
        """Start a copy job."""

    def cancel_job(self, job_id: str, **kwargs: Any) -> Any:
        """Ask for the end of a job."""

    def list_jobs(self, **kwargs: Any) -> Iterable[Any]:
        """Jobs of this account."""

    def get_table(self, table: Any, **kwargs: Any) -> Any:
        """What is known of a table."""

    def list_tables(self, dataset: Any, **kwargs: Any) -> Iterable[Any]:
        """The tables of a dataset."""

    def update_table(self, table: Any, fields: Sequence[str], **kwargs: Any) -> Any:
        """Change what is known of a table."""

    def delete_table(self, table: Any, **kwargs: Any) -> None:
        """Remove a table or a view."""

    def get_dataset(self, dataset_ref: Any, **kwargs: Any) -> Any:
        """What is known of a dataset."""

    def create_dataset(self, dataset: Any, **kwargs: Any) -> Any:
        """Make a dataset."""

    def close(self) -> None:
        """Give connections back."""


def labels_of(label: str) -> dict[str, str]:
    """The labels of a job for a session's label, ``flowforge/<run id>/<node>``; see :meth:`Service.reap`."""
    _, _, rest = label.partition("/")
    run, _, node = rest.partition("/")
    found = {RUN: _word(run), NODE: _word(node)}
    return {key: text for key, text in found.items() if text}


def _word(text: str) -> str:
    return _OTHER.sub("_", text.lower())[:63]


@attrs.define
class Service:
    """The service as one run uses it; safe from any thread."""

    client: Client
    settings: BigQuerySettings
    storage: Callable[[], Any | None]
    retry: Retry = attrs.field(init=False)
    _mutex: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _datasets: set[str] = attrs.field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self.retry = bigquery.DEFAULT_RETRY.with_timeout(self.settings.connect_timeout)

    # names

    def reference(self, relation: Relation) -> Any:
        """A relation as the client names it."""
        return bigquery.TableReference(self._dataset(relation), relation.name)

    def _dataset(self, place: Relation) -> Any:
        return bigquery.DatasetReference(place.database or self.settings.project, place.schema or self.settings.dataset)

    # jobs

    def query_config(self, labels: Mapping[str, str], timeout: float | None, **more: Any) -> Any:
        """How a query is to be run."""
        settings = self.settings
        config = bigquery.QueryJobConfig(**more)
        config.labels = {**settings.labels, **labels}
        config.priority = settings.priority.upper()
        if settings.maximum_bytes_billed is not None:
            config.maximum_bytes_billed = settings.maximum_bytes_billed
        if timeout is not None:
            config.job_timeout_ms = max(1, round(timeout * 1000))
        return config

    def start_query(self, sql: str, config: Any, timeout: float | None) -> Any:
        """Start a query; its result is waited for elsewhere. It is started once, whatever becomes of it."""
        answer = min(timeout + 1, _LONGEST_ANSWER) if timeout is not None else _LONGEST_ANSWER
        return self.client.query(
            sql,
            job_config=config,
            job_id_prefix="flowforge_",
            retry=self.retry,
            job_retry=None,
            timeout=(self.settings.connect_timeout, answer),
        )

    def start_load(self, file: IO[bytes], relation: Relation, config: Any) -> Any:
        """Upload a file and start loading it. The upload is in parts, and one that was interrupted goes on."""
        return self.client.load_table_from_file(
            file,
            self.reference(relation),
            size=None,
            rewind=True,
            job_id_prefix="flowforge_",
            job_config=config,
            timeout=(self.settings.connect_timeout, _LONGEST_ANSWER),
        )

    def start_copy(self, source: Relation, target: Relation, config: Any) -> Any:
        """Start copying a table."""
        return self.client.copy_table(
            self.reference(source),
            self.reference(target),
            job_id_prefix="flowforge_",
            job_config=config,
            **self._calling,
        )

    def cancel(self, job: Any) -> None:
        """Ask for the end of a job; quiet when it is over."""
        try:
            self.client.cancel_job(job.job_id, project=job.project, location=job.location, **self._calling)
        except (api.NotFound, api.BadRequest):
            return

    def reap(self, run_ids: Iterable[str]) -> int:
        """Cancel the jobs that these runs left behind; those of our own account only."""
        runs = {_word(run_id) for run_id in run_ids}
        if not runs:
            return 0
        count = 0
        for state in ("running", "pending"):
            for job in self.client.list_jobs(state_filter=state, max_results=1000, all_users=False, **self._calling):
                if (job.labels or {}).get(RUN) in runs:
                    self.cancel(job)
                    count += 1
        return count

    @property
    def _calling(self) -> dict[str, Any]:
        return {"retry": self.retry, "timeout": (self.settings.connect_timeout, 60.0)}

    # tables

    def table(self, relation: Relation) -> Any | None:
        """What is known of a relation; ``None``: there is none."""
        try:
            return self.client.get_table(self.reference(relation), **self._calling)
        except api.NotFound:
            return None

    def tables(self, place: Relation) -> list[Any]:
        """All relations of a dataset, as far as a list tells; none when there is no such dataset."""
        try:
            return list(self.client.list_tables(self._dataset(place), page_size=1000, **self._calling))
        except api.NotFound:
            return []

    def update(self, table: Any, fields: Sequence[str]) -> None:
        """Change a table as it was read; refused when others have changed it since then."""
        self.client.update_table(table, list(fields), **self._calling)

    def delete(self, relation: Relation) -> None:
        """Remove a relation of whatever kind; quiet when there is none."""
        self.client.delete_table(self.reference(relation), not_found_ok=True, **self._calling)

    # datasets

    def has_dataset(self, place: Relation, *, first: bool = False) -> bool:
        """Whether a dataset stands. A run's *first* request finds out whether anybody answers, so it is given up soon."""
        calling = self._calling
        if first:
            patience = self.settings.connect_timeout
            calling = {"retry": self.retry.with_timeout(patience / 2), "timeout": (patience, patience)}
        try:
            self.client.get_dataset(self._dataset(place), **calling)
        except api.NotFound:
            return False
        return True

    def ensure_dataset(self, place: Relation, refuse: Callable[[], None]) -> None:
        """Make a dataset that is missing, once for all threads; *refuse* is called where that is not allowed."""
        reference = self._dataset(place)
        with self._mutex:
            name = f"{reference.project}.{reference.dataset_id}"
            if name in self._datasets:
                return
            if not self.has_dataset(place):
                if not self.settings.allow_create_dataset:
                    refuse()
                made = bigquery.Dataset(reference)
                if self.settings.location is not None:
                    made.location = self.settings.location
                self.client.create_dataset(made, exists_ok=True, **self._calling)
            self._datasets.add(name)
