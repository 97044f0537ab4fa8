"""Projects whose runs take long enough to be killed at a moment in time instead of at a named point.

Each has two versions; their relations are judged by sums, because reading that many rows would take longer than
writing them.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from flowforge_test_servers.board.scenarios import Scenario
from flowforge_test_servers.board.world import Expected, Version

GRID = 1000
WIDTH = 400
"""A large relation has this many rows for each one of the grid."""
SEED_ROWS = 100_000
SEED_SLICE = 17

_NAME = "name: large\nversion: 1\n"
_GRID = (
    f"with recursive n(i) as (select 1 union all select i + 1 from n where i < {GRID})\n"
    "select i, i % 7 as seventh from n\n"
)
_BIG = (
    "select a.i * 10000 + b.i as id, {edition} as edition, a.i % 97 as v\n"
    "from {{{{ ref('grid') }}}} a cross join {{{{ ref('grid') }}}} b where b.i <= {width}\n"
)


def _probe(relation: str) -> str:
    return (
        f"select count(*) as n, sum(id) as ids, sum(v) as vs, min(edition) as first, max(edition) as last"
        f" from {relation} as x"
    )


_COLUMNS = ("n", "ids", "vs", "first", "last")


@attrs.frozen
class _Sums:
    """What the rows of ``big`` add up to."""

    width: int

    def row(self, edition: int, *, keep: int | None = None) -> tuple[object, ...]:
        """The probe's answer. *keep*: only rows whose ``v`` is below it."""
        rows = [number for number in range(1, GRID + 1) if keep is None or number % 97 < keep]
        return (
            len(rows) * self.width,
            sum(rows) * 10000 * self.width + len(rows) * self.width * (self.width + 1) // 2,
            sum(number % 97 for number in rows) * self.width,
            edition,
            edition,
        )


_GRID_EXPECTED = Expected(
    "table", ("n", "s"), ((GRID, GRID * (GRID + 1) // 2),), probe="select count(*) as n, sum(i) as s from grid"
)


def _big(name: str, edition: int, width: int) -> tuple[dict[str, str], dict[str, Expected]]:
    return (
        {f"models/{name}.ff.sql": _BIG.format(edition=edition, width=width)},
        {name: Expected("table", _COLUMNS, (_Sums(width).row(edition),), probe=_probe(name))},
    )


def _joined(*parts: tuple[Mapping[str, str], Mapping[str, Expected]]) -> Version:
    files: dict[str, str] = {"project.yml": _NAME}
    relations: dict[str, Expected] = {}
    for more_files, more_relations in parts:
        files |= more_files
        relations |= more_relations
    return Version(files, relations)


_BASE = {"models/grid.ff.sql": _GRID}, {"grid": _GRID_EXPECTED}


def _table(edition: int) -> Version:
    return _joined(_BASE, _big("big", edition, WIDTH))


def _view(name: str, source: str, edition: int, keep: int | None) -> tuple[dict[str, str], dict[str, Expected]]:
    select = "select id, edition, v from {source}" + ("" if keep is None else f" where v < {keep}")
    body = "{{ config(materialized='view') }}\n" + select.replace("{source}", f"{{{{ ref('{source}') }}}}") + "\n"
    shown = _probe("(" + select.replace("{source}", source) + ")")
    row = _Sums(WIDTH).row(edition, keep=keep)
    return {f"models/{name}.ff.sql": body}, {name: Expected("view", _COLUMNS, (row,), shown, _probe(name))}


def _lookout(edition: int) -> Version:
    return _joined(_BASE, _big("big", 1, WIDTH), _view("lookout", "big", 1, None if edition == 1 else 50))


def _downstream(edition: int) -> Version:
    keep = 50 if edition == 1 else 60
    tail = (
        {"models/tail.ff.sql": "select id, edition, v from {{ ref('lookout') }}\n"},
        {"tail": Expected("table", _COLUMNS, (_Sums(WIDTH).row(edition, keep=keep),), probe=_probe("tail"))},
    )
    return _joined(_BASE, _big("big", edition, WIDTH), _view("lookout", "big", edition, keep), tail)


def _parallel(edition: int) -> Version:
    return _joined(_BASE, _big("left_side", edition, WIDTH), _big("right_side", edition, WIDTH - 1))


def _seed(edition: int, count: int) -> Version:
    rows = range(edition, count + edition)
    text = "id,edition,v\n" + "".join(f"{number},{edition},{number % SEED_SLICE}\n" for number in rows)
    row = (count, sum(rows), sum(number % SEED_SLICE for number in rows), edition, edition)
    return Version(
        {"project.yml": _NAME, "seeds/many.csv": text},
        {"many": Expected("table", _COLUMNS, (row,), probe=_probe("many"))},
    )


def seed_sweep(count: int) -> Scenario:
    """A seed of so many rows is loaded over another one of as many."""
    return Scenario(f"seed-{count}", _seed(1, count), _seed(2, count), command=("seed",))


def sweeps() -> dict[str, Scenario]:
    """What is killed at random, by name. The texts are large, so they are made when they are asked for."""
    return {"seed": seed_sweep(SEED_ROWS)} | {
        name: Scenario(name, version(1), version(2), command=command)
        for name, version, command in (
            ("table", _table, ("run", "--jobs", "1")),
            ("view", _lookout, ("run", "--jobs", "1")),
            ("downstream", _downstream, ("run", "--jobs", "1")),
            ("parallel", _parallel, ("run", "--jobs", "2")),
        )
    }
