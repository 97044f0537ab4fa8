"""CSV seeds of any length beside the bare loaders of the engines: DuckDB's `read_csv`, PostgreSQL's `COPY`."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from page import Row
from processes import FLOWFORGE, Cost, Side, baseline

if TYPE_CHECKING:
    from flowforge_test_servers.postgres import PostgresServer

TYPES = {"id": "bigint", "customer_id": "bigint", "amount": "double", "status": "varchar", "day": "date"}
DUCKDB = "dev:\n  engine: duckdb\n  duckdb:\n    path: db.duckdb\n"
SEED = 1_000_000
"""From how many rows on there is a target."""

Compare = Callable[..., list[Cost]]


def write_project(root: Path, rows: int, *, declared: bool, profile: str) -> Path:
    """A project with one seed, made once; the same numbers give the same bytes."""
    if root.exists():
        return root
    (root / "seeds").mkdir(parents=True)
    (root / "models").mkdir()
    (root / "project.yml").write_text("name: bench\nversion: '1'\n")
    (root / "profiles.yml").write_text(profile)
    with (root / "seeds" / "big.csv").open("w") as file:
        file.write(f"{','.join(TYPES)}\n")
        file.writelines(
            f"{at},{at % 997},{at % 5000}.25,state {at % 7},2024-{at % 12 + 1:02d}-{at % 28 + 1:02d}\n"
            for at in range(rows)
        )
    if declared:
        types = ", ".join(f"{name}: {type_}" for name, type_ in TYPES.items())
        (root / "seeds" / "schema.yml").write_text(f"columns:\n  big: {{{types}}}\n")
    return root


def _kinds() -> Iterator[tuple[str, bool]]:
    yield "declared types", True
    yield "types found", False


def on_duckdb(compare: Compare, folder: Path, rows: int) -> Iterator[Row]:
    """Beside `read_csv`, which finds the types itself."""
    for kind, declared in _kinds():
        root = write_project(folder / f"seed-{rows}-{declared}", rows, declared=declared, profile=DUCKDB)

        def fresh(root: Path = root) -> None:
            for name in ("db.duckdb", "bare.duckdb"):
                (root / name).unlink(missing_ok=True)
            shutil.rmtree(root / ".flowforge", ignore_errors=True)

        ours, theirs = compare(
            Side([*FLOWFORGE, "seed", "."], root, fresh),
            Side(baseline("seed", root, "bare.duckdb", "seeds/big.csv"), root, fresh),
        )
        shutil.rmtree(root)
        target = (1.6 if declared else 2.5) if rows >= SEED else None
        yield Row(f"CSV seed of {rows:,} rows, {kind}", "`read_csv` into a table", ours, theirs, target)


def on_postgres(compare: Compare, folder: Path, rows: int) -> Iterator[Row]:
    """Beside `COPY` into a table that has its types; CPU seconds are those of the client and of the server."""
    import psycopg
    from flowforge_test_servers.postgres import postgres_server

    with postgres_server() as server:
        for kind, declared in _kinds():
            profile = f"dev:\n  engine: postgres\n  postgres:\n    dsn: {server.dsn_of('bench')}\n"
            root = write_project(folder / f"copied-{rows}-{declared}", rows, declared=declared, profile=profile)

            def fresh(root: Path = root) -> None:
                with psycopg.connect(server.dsn, autocommit=True) as connection:
                    connection.execute("DROP DATABASE IF EXISTS bench WITH (FORCE)")
                    connection.execute("CREATE DATABASE bench")
                    connection.execute("CHECKPOINT")
                shutil.rmtree(root / ".flowforge", ignore_errors=True)

            ours, theirs = compare(
                Side([*FLOWFORGE, "seed", "."], root, fresh, lambda: cpu_of(server)),
                Side(
                    baseline("copy", root, server.dsn_of("bench"), "seeds/big.csv"), root, fresh, lambda: cpu_of(server)
                ),
            )
            shutil.rmtree(root)
            target = (1.5 if declared else 2.5) if rows >= SEED else None
            yield Row(f"CSV seed of {rows:,} rows on PostgreSQL, {kind}", "`COPY` into a table", ours, theirs, target)


def cpu_of(server: PostgresServer) -> float:
    """CPU seconds that a server and its processes have used, those that have ended too. Linux only."""
    ticks = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            used, waited = sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))
            if int(entry.name) == server.pid:
                ticks += used + waited
            elif int(fields[1]) == server.pid:
                ticks += used
    return ticks / os.sysconf("SC_CLK_TCK")
