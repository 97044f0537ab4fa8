"""Rows that are put aside, before and after others came: some left the quarantine, some came in, one was released.

A row of a quarantine is a part of it: without transactions, those that come in are there before those that leave have
gone, so that no row is nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowforge_test_servers.board.arena import Place
from flowforge_test_servers.board.process import run
from flowforge_test_servers.board.world import Expected, Row, Version

_CHECKS = """\
version: 1
models:
  - name: whole
    columns: [{name: amount, checks: [{greater_equal: {on_fail: quarantine, name: good}}]}]
  - name: merged
    columns: [{name: amount, checks: [{greater_equal: {on_fail: quarantine, name: fine}}, not_null]}]
  - name: kept
    columns: [{name: amount, checks: [{greater_equal: {on_fail: quarantine, name: well}}]}]
"""


def _rows(columns: str, *rows: Row, part: int | None = None, probe: str | None = None) -> Expected:
    return Expected("table", tuple(columns.split()), tuple(sorted(rows, key=repr)), part=part, probe=probe)


def _aside(name: str, *rows: Row) -> Expected:
    probe = f'select id, amount, day, _ff_reasons from "_ff_quarantine_{name}"'
    return _rows("id amount day _ff_reasons", *rows, part=0, probe=probe)


def _history(*rows: Row) -> Expected:
    probe = "select id, amount, day, case when _ff_is_current then 1 else 0 end as current from kept"
    return _rows("id amount day current", *rows, probe=probe)


def _version(rows: Sequence[Row], relations: Mapping[str, Expected]) -> Version:
    growing = "{{ config(materialized='incremental', unique_key='id', updated_at='day') }}\n"
    history = "{{ config(materialized='snapshot', strategy='timestamp', unique_key='id', updated_at='day') }}\n"
    query = "select id, amount, day from {{ ref('raw') }}\n"
    return Version(
        {
            "project.yml": "name: board\nversion: 1\n",
            "seeds/raw.csv": "id,amount,day\n" + "".join(",".join(map(str, row)) + "\n" for row in rows),
            "models/checks.yml": _CHECKS,
            "models/whole.ff.sql": query,
            "models/merged.ff.sql": growing + query,
            "models/kept.ff.sql": history + query,
            "models/below.ff.sql": "select count(*) as n, sum(amount) as total from {{ ref('whole') }}\n",
        },
        {"raw": _rows("id amount day", *rows), **relations},
    )


_GOOD, _BAD, _LATE, _AGAIN, _NEXT = (1, 10, 1), (2, -5, 1), (3, -7, 2), (2, 5, 3), (4, -9, 3)

BEFORE = _version(
    (_GOOD, _BAD, _LATE),
    {
        "whole": _rows("id amount day", _GOOD),
        "_ff_quarantine_whole": _aside("whole", (*_BAD, '["good"]'), (*_LATE, '["good"]')),
        "merged": _rows("id amount day", _GOOD),
        "_ff_quarantine_merged": _aside("merged", (*_BAD, '["fine"]'), (*_LATE, '["fine"]')),
        "kept": _history((*_GOOD, 1)),
        "_ff_quarantine_kept": _aside("kept", (*_BAD, '["well"]'), (*_LATE, '["well"]')),
        "below": _rows("n total", (1, 10)),
    },
)
AFTER = _version(
    (_GOOD, _AGAIN, _NEXT),
    {
        "whole": _rows("id amount day", _GOOD, _AGAIN),
        "_ff_quarantine_whole": _aside("whole", (*_NEXT, '["good"]')),
        "merged": _rows("id amount day", _GOOD, _AGAIN, _LATE),
        "_ff_quarantine_merged": _aside("merged", (*_NEXT, '["fine"]')),
        "kept": _history((*_GOOD, 1), (*_AGAIN, 1)),
        "_ff_quarantine_kept": _aside("kept", (*_NEXT, '["well"]')),
        "below": _rows("n total", (2, 15)),
    },
)


TAKEN_BACK = _version(
    (_GOOD, _BAD, _LATE),
    {
        **BEFORE.relations,
        "whole": _rows("id amount day", _GOOD, _BAD, _LATE),
        "_ff_quarantine_whole": _aside("whole"),
        "below": _rows("n total", (3, -2)),
    },
)
"""What stands when rows were published that are to be put aside again."""


def take_back(place: Place) -> None:
    """Release rows, publish them, and take the release back."""
    for line in (("release", "whole", "--all"), None, ("hold", "whole", "--all", "--note", "no, it is wrong")):
        ended = run(place, "quarantine", *line) if line is not None else run(place, "build")
        assert ended.code == 0, ended.stderr


def release_one(place: Place) -> None:
    """Let a row pass that no later run reads again."""
    ended = run(place, "quarantine", "release", "merged", "--all", "--note", "it is right")
    assert ended.code == 0, ended.stderr
