"""A commit whose answer was lost is asked about before anything is done again, however often asking fails."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from flowforge.errors import Committed, EngineError, ErrorKind
from flowforge.materialize import retries
from flowforge.run import node as room
from flowforge.run.sessions import Sessions


def lost(committed: Committed) -> EngineError:
    return EngineError("gone", kind=ErrorKind.CONNECTION, retryable=True, committed=committed)


class Connection:
    """A session that is only opened and closed."""

    def close(self) -> None:
        """End it."""

    def cancel(self) -> None:
        """Nothing runs."""


class Database:
    """Publishes once per call; *answers* say how each connection goes: ``ok``, ``away``, or ``cut`` in the commit."""

    def __init__(self, *answers: str, done: bool) -> None:
        self.answers = list(answers)
        self.done = done
        self.published = 0

    def open(self, label: str, timeout: float | None) -> Any:
        if self.answers and self.answers[0] == "away":
            self.answers.pop(0)
            raise lost(Committed.NO)
        return Connection()

    def publish(self, session: Any, publication: Any, audit: Any) -> str:
        self.published += 1
        answer = self.answers.pop(0) if self.answers else "ok"
        if answer == "cut":
            raise lost(Committed.UNKNOWN)
        return "published"


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[[Database], Any]:
    monkeypatch.setattr(retries, "_FIRST", 0.001)

    def settle(label: str, bench: Any, publication: Any, node: Any) -> str | None:
        bench.open_session(label, None)
        return "settled" if bench.publisher.done else None

    monkeypatch.setattr(room, "_settle", settle)

    def run(database: Database) -> Any:
        stop = threading.Event()
        bench = SimpleNamespace(
            run_id="r",
            open_session=database.open,
            publisher=database,
            make_audit=lambda node, standing: None,
            error=lambda problem: None,
            retry=lambda attempt, node: retries.retrying(
                attempt, as_engine_error=lambda problem: None, stop=stop, on_retry=lambda error, pause: None
            ),
        )
        node = SimpleNamespace(short_name="n", config=SimpleNamespace(timeout=None))
        step: Any = SimpleNamespace(node=node)
        return room._publish(step, bench, Sessions(), SimpleNamespace(prunes=False))  # type: ignore[arg-type]

    return run


@pytest.mark.parametrize(
    ("answers", "done", "outcome", "published"),
    [
        (["cut"], True, "settled", 1),
        (["cut"], False, "published", 2),
        (["cut", "away"], True, "settled", 1),
        (["cut", "away"], False, "published", 2),
        (["away", "away"], False, "published", 1),
    ],
)
def test_nothing_is_done_twice(
    publish: Callable[[Database], Any], answers: list[str], done: bool, outcome: str, published: int
) -> None:
    database = Database(*answers, done=done)
    assert publish(database) == outcome
    assert database.published == published


def test_a_server_that_stays_away(publish: Callable[[Database], Any]) -> None:
    database = Database("cut", "away", "away", "away", done=True)
    with pytest.raises(EngineError) as caught:
        publish(database)
    assert caught.value.committed is Committed.UNKNOWN
    assert "whether it was committed is not known" in caught.value.notes[-1]
    assert database.published == 1
