"""One project of BigQuery, shared by all sessions of a run."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from flowforge.contract import Executor, Session
from flowforge.errors import EngineError, ErrorKind
from flowforge.values import Namespace, Relation
from flowforge_bigquery.connect import make_client
from flowforge_bigquery.dialect import BigQueryDialect
from flowforge_bigquery.errors import Attempt, is_driver_error, translate
from flowforge_bigquery.service import Client, Service
from flowforge_bigquery.session import BigQuerySession
from flowforge_bigquery.settings import BigQuerySettings


class BigQueryExecutor(Executor):
    """Asks for the dataset at once; raises :class:`EngineError` when the service cannot be reached or refuses us.

    Parameters
    ----------
    client:
        For tests; made from the settings otherwise.
    """

    dialect: BigQueryDialect

    def __init__(self, settings: BigQuerySettings, client: Client | None = None) -> None:
        self.dialect = BigQueryDialect()
        self.namespace = Namespace(settings.dataset, settings.project)
        self._storage: Any = None
        self._guard = threading.Lock()
        self._client: Any = client if client is not None else make_client(settings)
        self._service = Service(self._client, settings, self._reads)
        place = Relation("", settings.dataset, settings.project)
        self.dialect.render(place.renamed("x"))
        try:
            found = self._service.has_dataset(place, first=True)
        except Exception as exc:
            self.close()
            error = self.error(exc)
            if error is None:
                raise
            raise error from exc
        if not found and not settings.allow_create_dataset:
            self.close()
            raise EngineError(
                f"there is no dataset {settings.dataset} in the project {settings.project}",
                kind=ErrorKind.MISSING,
                help="correct dataset in the profile, create it, or let it be created: allow_create_dataset: true",
            )

    def _reads(self) -> Any | None:
        """A client of the Storage Read API; ``None`` where it is not wanted, or not to be had."""
        settings = self._service.settings
        if not settings.use_storage_api or settings.api_endpoint is not None:
            return None
        with self._guard:
            if self._storage is None:
                from google.cloud import bigquery_storage

                self._storage = bigquery_storage.BigQueryReadClient(credentials=self._client._credentials)
            return self._storage

    def session(self, *, label: str, timeout: float | None = None) -> Session:
        """Opens nothing: a session is no more than labels, until it makes a temporary table."""
        return BigQuerySession(self._service, self.dialect, label=label, timeout=timeout)

    def error(self, exc: BaseException) -> EngineError | None:
        """Sessions translate their own errors, with the position; this is for the rest."""
        if isinstance(exc, EngineError):
            return exc
        return translate(exc, Attempt()) if is_driver_error(exc) else None

    def reap(self, run_ids: Iterable[str]) -> int:
        """Cancel the jobs of dead runs, by their labels."""
        try:
            return self._service.reap(run_ids)
        except Exception as exc:
            error = self.error(exc)
            if error is None:
                raise
            raise error from exc

    def close(self) -> None:
        """Give connections back."""
        if self._storage is not None:
            self._storage.transport.close()
        self._client.close()
