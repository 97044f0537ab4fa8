"""Stopping the one job that a session waits for."""

from __future__ import annotations

from typing import Any

from flowforge_bigquery.watch import Watch


def watched() -> tuple[Watch, list[Any]]:
    stopped: list[Any] = []
    return Watch(stopped.append), stopped


def test_nothing_runs() -> None:
    watch, stopped = watched()
    watch.cancel()
    watch.begin()
    watch.started("one")
    watch.end()
    watch.cancel()
    assert stopped == []
    assert not watch.stopped


def test_the_job_that_runs_is_stopped_once() -> None:
    watch, stopped = watched()
    watch.begin()
    watch.started("one")
    watch.cancel()
    watch.cancel()
    assert stopped == ["one"]
    assert watch.stopped


def test_a_stop_before_the_job_is_known_is_passed_on() -> None:
    watch, stopped = watched()
    watch.begin()
    watch.cancel()
    assert stopped == []
    watch.started("one")
    assert stopped == ["one"]
    assert watch.stopped


def test_the_next_statement_is_spared() -> None:
    watch, stopped = watched()
    watch.begin()
    watch.cancel()
    watch.end()
    watch.begin()
    watch.started("two")
    assert stopped == []
    assert not watch.stopped
