"""Leases, statement by statement: whatever order the statements of several runs come in, one run holds a name.

The table is a list in memory, whose statements are atomic, and nothing else is: hypothesis says who comes next.
"""

from __future__ import annotations

import threading
import unittest.mock
from collections.abc import Iterator
from typing import Any, cast

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowforge.contract import Session
from flowforge.state.lease import Holder, Leases
from flowforge.values import Namespace

NAME = "`orders`"
FOR_EVER = 10_000  # statements after which a play that goes on has hung
HOLDS = 2
SESSION = cast("Session", None)


class Killed(BaseException):
    """The process of a run has ended in the middle."""


class Table:
    """The rows, and whose turn it is."""

    def __init__(self, runs: int, order: Iterator[int], deaths: dict[int, int]) -> None:
        self.rows: list[Holder] = []
        self.holding: list[int] = []
        self.epochs: list[int] = []
        self.failures: list[str] = []
        self.dead: set[str] = set()
        self._order = order
        self._deaths = deaths
        self._said = [0] * runs
        self._going = set(range(runs))
        self._at_gate: set[int] = set()
        self._next: int | None = None
        self._steps = 0
        self._change = threading.Condition()

    def statement(self, run: int) -> None:
        """Come back when it is the turn of *run*: nobody else says anything until it is here again."""
        with self._change:
            self._at_gate.add(run)
            if self._next == run:
                self._next = None
            self._choose()
            self._change.wait_for(lambda: self._next == run)
            self._at_gate.discard(run)
            self._said[run] += 1
            self._steps += 1
            if self._said[run] == self._deaths.get(run) or self._steps > FOR_EVER:
                raise Killed

    def leave(self, run: int) -> None:
        with self._change:
            self._going.discard(run)
            self._at_gate.discard(run)
            if self._next == run:
                self._next = None
            self.dead |= {f"run{run}"} if run in self._deaths else set()
            self.holding = [one for one in self.holding if one != run]
            self._choose()

    def _choose(self) -> None:
        if self._next is None and self._going and self._at_gate == self._going:
            waiting = sorted(self._at_gate)
            self._next = waiting[next(self._order) % len(waiting)]
            self._change.notify_all()


@attrs.frozen
class Played(Leases):
    """The leases of one run, whose statements go to the list."""

    shared: Table = attrs.field(kw_only=True)
    number: int = attrs.field(kw_only=True)

    def _read(self, session: Session, name: str | None) -> tuple[list[Holder], int]:
        self.shared.statement(self.number)
        return list(self.shared.rows), self.shared._steps

    def _insert(self, session: Session, name: str) -> None:
        self.shared.statement(self.number)
        self.shared.rows.append(Holder())

    def update(self, session: Session, name: str, before: Holder, after: Holder, *, only_mine: bool = False) -> None:
        self.shared.statement(self.number)

        def matches(row: Holder) -> bool:
            return (row.holder, row.epoch) == (before.holder, before.epoch) and (
                only_mine or row.until_ms == before.until_ms
            )

        self.shared.rows = [after if matches(row) else row for row in self.shared.rows]


def one_run(leases: Played) -> None:
    table, run = leases.shared, leases.number
    try:
        for _ in range(HOLDS):
            mine = leases._take(SESSION, NAME, None)
            table.holding.append(run)
            table.epochs.append(mine.epoch)
            if len(table.holding) > 1:
                table.failures.append(f"{table.holding} hold it: {table.rows}")
            renewed = leases.renew(SESSION, NAME, mine)
            if renewed is None:
                table.failures.append(f"run{run} lost it: {table.rows}")
            table.holding.remove(run)
            leases._release(SESSION, NAME, renewed or mine)
    except Killed:
        pass
    finally:
        table.leave(run)


def play(runs: int, order: list[int], deaths: dict[int, int]) -> Table:
    def turns() -> Iterator[int]:
        yield from order
        # Afterwards everybody comes to the end, at a pace of its own, so that nobody steps back for ever.
        while True:
            yield from (0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2)

    table = Table(runs, turns(), deaths)
    where: Any = Namespace("db", "main")
    together = [
        threading.Thread(
            target=one_run,
            args=(
                Played(
                    cast("Any", None), where, f"run{number}", cast("Any", None), poll=0, shared=table, number=number
                ),
            ),
            daemon=True,
        )
        for number in range(runs)
    ]
    with unittest.mock.patch.object(Holder, "is_dead", property(lambda row: row.run_id in table.dead)):
        for thread in together:
            thread.start()
        for thread in together:
            thread.join(60)
            assert not thread.is_alive(), "hung"
    assert table._steps <= FOR_EVER, "they step back for ever"
    return table


ORDERS = st.lists(st.integers(0, 2), max_size=120)
DEATHS = st.dictionaries(st.integers(0, 2), st.integers(1, 25), max_size=2)


@settings(derandomize=True, deadline=None, max_examples=400)
@given(order=ORDERS, deaths=DEATHS)
def test_one_run_at_a_time_holds_it(order: list[int], deaths: dict[int, int]) -> None:
    table = play(3, order, deaths)
    assert table.failures == []
    assert table.epochs == sorted(set(table.epochs))
    if not deaths:
        assert len(table.epochs) == 3 * HOLDS
        assert all(row.holder == "" for row in table.rows)


@pytest.mark.full
@settings(derandomize=True, deadline=None, max_examples=20_000)
@given(order=ORDERS, deaths=DEATHS)
def test_one_run_at_a_time_holds_it_however_often(order: list[int], deaths: dict[int, int]) -> None:
    table = play(3, order, deaths)
    assert table.failures == []
    assert table.epochs == sorted(set(table.epochs))
