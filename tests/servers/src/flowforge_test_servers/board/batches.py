"""Tables that are built window by window, so that a kill leaves some windows old and others new."""

from __future__ import annotations

import attrs

from flowforge_test_servers.board.world import Expected, Row, Version

_CONFIG = (
    "materialized='incremental', incremental_strategy='microbatch', event_time='day', begin='2022-01-01',"
    " batch_size='year', lookback=1000"
)
_COLUMNS = ("id", "amount", "day")


def _expected(*rows: Row, columns: tuple[str, ...] = _COLUMNS, part: int | None = None) -> Expected:
    return Expected("table", columns, tuple(sorted(rows, key=repr)), part=part)


def _version(rows: tuple[Row, ...]) -> Version:
    seed = "id,amount,day\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
    total = sum(int(str(row[1])) for row in rows)
    return Version(
        {
            "project.yml": "name: board\nversion: 1\nseeds: {+event_time: day}\n",
            "seeds/raw.csv": seed,
            "models/checks.yml": "models: [{name: parted, columns: [{name: id, checks: [not_null, unique]}]}]\n",
            "models/parted.ff.sql": f"{{{{ config({_CONFIG}) }}}}\nselect id, amount, day from {{{{ ref('raw') }}}}\n",
            "models/below.ff.sql": "select count(*) as n, sum(amount) as amount from {{ ref('parted') }}\n",
        },
        {
            "raw": _expected(*rows),
            "parted": _expected(*rows, part=2),
            "below": _expected((len(rows), total), columns=("n", "amount")),
        },
    )


OLD_WINDOWS = _version(((1, 10, "2022-05-05"), (2, 20, "2023-01-01"), (3, 30, "2023-12-31"), (4, 40, "2024-02-29")))
NEW_WINDOWS = _version(((1, 11, "2022-05-05"), (3, 31, "2023-12-31"), (4, 41, "2024-02-29"), (5, 51, "2025-01-01")))
ANEW = attrs.evolve(
    NEW_WINDOWS, relations={**NEW_WINDOWS.relations, "parted": attrs.evolve(NEW_WINDOWS.relations["parted"], part=None)}
)
"""The same, when all of the table is replaced at once."""
