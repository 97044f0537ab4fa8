"""One Spark, shared by all sessions of a run."""

from __future__ import annotations

from collections.abc import Iterable

from flowforge.contract import Executor, Session
from flowforge.errors import EngineError
from flowforge.values import Namespace
from flowforge_spark.connect import connect
from flowforge_spark.dialect import SparkDialect
from flowforge_spark.errors import Attempt, is_ours, translate
from flowforge_spark.session import SparkSession
from flowforge_spark.settings import SparkSettings


class SparkExecutor(Executor):
    """Reaches Spark, or starts it, at once."""

    dialect: SparkDialect

    def __init__(self, settings: SparkSettings) -> None:
        self.dialect = SparkDialect()
        self.namespace = Namespace(settings.database, settings.catalog)
        self._settings = settings
        self._home = connect(settings)

    def session(self, *, label: str, timeout: float | None = None) -> Session:
        """A session of Spark of its own; callable from any thread."""
        try:
            spark = self._home.open()
        except Exception as exc:
            if not is_ours(exc):
                raise
            raise translate(exc, Attempt()) from exc
        return SparkSession(spark, self.dialect, self._settings, self._home.release, label=label, timeout=timeout)

    def error(self, exc: BaseException) -> EngineError | None:
        """Sessions translate their own errors, with the position; this is for the rest."""
        if isinstance(exc, EngineError):
            return exc
        return translate(exc, Attempt()) if is_ours(exc) else None

    def reap(self, run_ids: Iterable[str]) -> int:
        """Spark ends what a client left behind when its session is gone; nobody else can name its statements."""
        return 0

    def close(self) -> None:
        """Let Spark go; one that runs in this process stops."""
        self._home.close()
