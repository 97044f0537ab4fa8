"""What checks have found in many runs, for their history and for what is usual. It belongs to the project's memory.

Results are those of one profile and one engine. They are kept longer than the runs, within bounds: a number for each
check, which is smaller where a project has very many, and a number of days.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from flowforge.errors import StateError
from flowforge.events import Status
from flowforge.frozen import frozen
from flowforge.state.store_connection import Statement, StoreConnection, storable

KEPT = 400
"""Results that are kept of one check, at most."""
KEPT_DAYS = 400
KEPT_IN_ALL = 1_000_000
"""Results of all checks of a run: of 10,000 checks, 100 results each are kept."""
_LEAST = 50  # of each check, however many there are
_ALWAYS = 5  # however old they are: clocks jump
_MESSAGE = 500  # characters of a message that are kept
_DAY = 86_400.0

_RUN = "INSERT INTO check_runs (run_id, command, at) VALUES (?, ?, ?) ON CONFLICT (run_id) DO NOTHING"
_SERIES = """
    INSERT INTO check_series (env, engine, name, measured, n, last_at) VALUES (?, ?, ?, ?, 1, ?)
    ON CONFLICT (env, engine, name, measured) DO UPDATE SET n = n + 1, last_at = excluded.last_at"""
_ONE = "env = ? AND engine = ? AND name = ? AND measured = ?"
_RESULT = f"""
    INSERT OR REPLACE INTO check_results
    SELECT s.id, s.n, r.id, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM check_series s, check_runs r WHERE {_ONE} AND run_id = ?"""
# The results of a series are numbered, so that the old ones are a range, which is found without looking at the others.
_PRUNE = f"""
    DELETE FROM check_results WHERE series = (SELECT id FROM check_series WHERE {_ONE}) AND n <= (
        SELECT min(n - {_ALWAYS}, max(n - ?, coalesce((
            SELECT c.n FROM check_results c WHERE c.series = id AND c.at >= ? ORDER BY c.n LIMIT 1), n) - 1))
        FROM check_series WHERE {_ONE})"""
_PAST = (
    "r.run_id, r.command, c.at, c.status, c.severity, c.failures, c.rows, c.measure, c.counts, c.duration, c.message"
)
_FORGET = (
    "DELETE FROM check_series WHERE last_at < ?",
    "DELETE FROM check_runs WHERE at < ? AND id < (SELECT max(id) FROM check_runs)",
)


@frozen
class CheckRecord:
    """One result of one check.

    Parameters
    ----------
    check:
        The check's id.
    at:
        UTC.
    failures, rows:
        Failing rows (or groups), and all rows of the relation, where they were counted.
    measure:
        The number that it measured, where it measures one.
    counts:
        The measure belongs to rows that were accepted: it says what is usual.
    duration:
        Seconds.
    message:
        What it found, or what else there is to say.
    measured:
        What it measures, in a text that is the same as long as that is the same; empty where nobody compares.
    """

    check: str
    at: dt.datetime
    status: Status
    severity: str
    failures: int | None = None
    rows: int | None = None
    measure: float | None = None
    counts: bool = True
    duration: float = 0.0
    message: str | None = None
    measured: str = ""


@frozen
class PastResult:
    """A result as it is remembered; *run_id* and *command* are empty when the run is forgotten."""

    run_id: str
    command: str
    at: dt.datetime
    status: Status
    severity: str
    failures: int | None
    rows: int | None
    measure: float | None
    counts: bool
    duration: float
    message: str | None


class CheckHistory:
    """Reads and writes the results of checks. Safe from any thread; obtained from the store."""

    def __init__(self, file: StoreConnection) -> None:
        self._file = file

    @property
    def readable(self) -> bool:
        """Whether what earlier runs noted can be read; what was never noted can."""
        return self._file.whole

    def note(self, env: str, engine: str, run_id: str, command: str, records: Sequence[CheckRecord]) -> None:
        """Note the results of a run in one transaction, and forget the oldest of these checks."""
        if not records:
            return
        last = max(record.at for record in records).timestamp()
        kept = max(_LEAST, min(KEPT, KEPT_IN_ALL // len(records)))
        oldest = last - KEPT_DAYS * _DAY
        statements: list[Statement] = [(_RUN, (run_id, command, last))]
        for record in records:
            one = (env, engine, storable(record.check), record.measured)
            result = (
                record.at.timestamp(),
                record.status.value,
                record.severity,
                record.failures,
                record.rows,
                record.measure,
                record.counts,
                record.duration,
                storable(record.message)[:_MESSAGE] if record.message is not None else None,
            )
            statements += [
                (_SERIES, (*one, last)),
                (_RESULT, (*result, *one, run_id)),
                (_PRUNE, (*one, kept, oldest, *one)),
            ]
        statements += [(sql, (oldest,)) for sql in _FORGET]
        self._file.write(*statements)

    def results(self, env: str, engine: str, limit: int, checks: Collection[str]) -> Mapping[str, Sequence[PastResult]]:
        """The last *limit* results of each check of which there are any, oldest first."""
        found: dict[str, list[tuple[int, PastResult]]] = {}
        wanted = set(checks)
        for name, run, *values in self._file.rows(
            f"SELECT s.name, c.run, {_PAST} FROM check_series s JOIN check_results c ON c.series = s.id"
            " LEFT JOIN check_runs r ON r.id = c.run WHERE s.env = ? AND s.engine = ? AND c.n > s.n - ?"
            " ORDER BY c.run",
            (env, engine, limit),
        ):
            past = _past(values) if name in wanted else None
            if past is not None:
                found.setdefault(name, []).append((run, past))
        return {name: [past for _, past in results[-limit:]] for name, results in found.items()}

    def streak(self, env: str, engine: str, check: str) -> tuple[PastResult | None, PastResult | None]:
        """When a check that does not pass began not to, and when it last passed, as far as anybody remembers."""
        rows = self._file.rows(
            f"SELECT {_PAST} FROM check_series s JOIN check_results c ON c.series = s.id"
            " LEFT JOIN check_runs r ON r.id = c.run WHERE s.env = ? AND s.engine = ? AND s.name = ?"
            " ORDER BY c.run DESC",
            (env, engine, check),
        )
        first: PastResult | None = None
        for past in filter(None, map(_past, rows)):
            if past.status is Status.SUCCESS:
                return first, past
            if past.status is not Status.SKIPPED:
                first = past
        return first, None

    def measures(
        self, env: str, engine: str, measured: str, limit: int, since: dt.datetime | None = None
    ) -> Sequence[float]:
        """The last *limit* accepted numbers of what is *measured*, one for each run, oldest first.

        Raises
        ------
        StateError
            When the memory cannot be read, so that nobody can say what is usual.
        """
        rows = self._file.rows(
            "SELECT max(c.measure) FROM check_series s JOIN check_results c ON c.series = s.id"
            " WHERE s.env = ? AND s.engine = ? AND s.measured = ? AND c.counts AND c.measure IS NOT NULL AND c.at >= ?"
            " GROUP BY c.run ORDER BY c.run DESC LIMIT ?",
            (env, engine, measured, since.timestamp() if since is not None else 0.0, limit),
        )
        if not self.readable:
            raise StateError(
                "what earlier runs measured cannot be read, so nobody can say what is usual",
                code="FF3080",
                help="the warning about .flowforge/state.db says why; a file that was damaged has been replaced, and "
                "the check learns anew from the next run on",
            )
        numbers = [float(value) for (value,) in reversed(rows) if isinstance(value, (int, float))]
        return [number for number in numbers if math.isfinite(number)]  # another hand may have written others

    def last_counted(self, env: str, engine: str, measured: str) -> PastResult | None:
        """The last accepted result of what is *measured*."""
        rows = self._file.rows(
            f"SELECT {_PAST} FROM check_series s JOIN check_results c ON c.series = s.id"
            " LEFT JOIN check_runs r ON r.id = c.run WHERE s.env = ? AND s.engine = ? AND s.measured = ? AND c.counts"
            " AND c.measure IS NOT NULL ORDER BY c.run DESC LIMIT 1",
            (env, engine, measured),
        )
        return _past(rows[0]) if rows else None

    def last_seen(self, env: str, engine: str) -> Mapping[str, PastResult]:
        """The last result of every check."""
        return {name: found[-1] for name, found in self._all_last(env, engine).items()}

    def _all_last(self, env: str, engine: str) -> Mapping[str, Sequence[PastResult]]:
        names = [
            name
            for (name,) in self._file.rows(
                "SELECT DISTINCT name FROM check_series WHERE env = ? AND engine = ?", (env, engine)
            )
        ]
        return self.results(env, engine, 1, names)


def _past(values: Iterable[object]) -> PastResult | None:
    run_id, command, at, status, severity, failures, rows, measure, counts, duration, message = values
    try:
        return PastResult(
            run_id=str(run_id or ""),
            command=str(command or ""),
            at=dt.datetime.fromtimestamp(at, dt.UTC),  # type: ignore[arg-type]
            status=Status(status),
            severity=str(severity),
            failures=failures if isinstance(failures, int) else None,
            rows=rows if isinstance(rows, int) else None,
            measure=measure if isinstance(measure, float) else None,
            counts=bool(counts),
            duration=float(duration),  # type: ignore[arg-type]
            message=message if isinstance(message, str) else None,
        )
    except (ValueError, TypeError, OverflowError, OSError):
        return None  # written by another hand
