"""A Python model beside the same work by hand: Arrow, pandas, Arrow, table."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from page import Row
from processes import FLOWFORGE, Cost, Side, baseline, compared

FRAME = 5_000_000
"""From how many rows on there is a target."""

FILES = {
    "project.yml": "name: bench\nversion: '1'\n",
    "profiles.yml": "dev:\n  engine: duckdb\n  duckdb:\n    path: db.duckdb\n",
    "models/big.ff.sql": (
        "select i as id, i % 997 as customer_id, (i % 5000) / 4.0 as amount, 'state ' || i % 7 as status,\n"
        "  date '2024-01-01' + cast(i % 300 as integer) as day, i % 3 = 0 as is_new\n"
        "from range(/*rows*/) as r(i)\n"
    ),
    "models/scored.ff.py": (
        "from flowforge import model\n\n\n"
        "@model(deps=['big'])\n"
        "def scored(big):\n"
        "    return big.assign(amount=big['amount'] * 2)\n"
    ),
}

Compare = Callable[..., list[Cost]]


def on_duckdb(compare: Compare, folder: Path, rows: int) -> Iterator[Row]:
    """One model of so many rows and six columns; what it reads stands there already."""
    root = folder / f"frame-{rows}"
    (root / "models").mkdir(parents=True)
    for name, text in FILES.items():
        (root / name).write_text(text.replace("/*rows*/", str(rows)))
    compared([Side([*FLOWFORGE, "run", ".", "-s", "big"], root)], 1)
    (root / "db.duckdb").rename(root / "built.duckdb")

    def fresh() -> None:
        for name in ("db.duckdb", "bare.duckdb"):
            (root / f"{name}.wal").unlink(missing_ok=True)
            shutil.copyfile(root / "built.duckdb", root / name)

    ours, theirs = compare(
        Side([*FLOWFORGE, "run", ".", "-s", "scored"], root, fresh),
        Side(baseline("frame", root, "bare.duckdb"), root, fresh),
    )
    shutil.rmtree(root)
    what, against = f"Python model of {rows:,} rows and 6 columns", "Arrow, pandas, Arrow, table by hand"
    yield Row(what, against, ours, theirs, 1.3 if rows >= FRAME else None)
