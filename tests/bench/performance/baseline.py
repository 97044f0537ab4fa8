"""What FlowForge is compared with: the least that anybody could do, each in a process of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from shapes import raw_tables

if TYPE_CHECKING:
    import duckdb


def main(what: str, root: Path, *more: str) -> None:
    if what == "click":
        import click  # noqa: F401
    elif what == "read":
        read(root)
    elif what == "copy":
        copy(root, *more)
    else:
        import duckdb

        connection = duckdb.connect(str(root / more[0]), config={"threads": 2})
        if what == "notes":
            rows = connection.execute("select * from main._ff_meta").fetchall()
            assert rows
        elif what == "sources":
            for sql in raw_tables(int(more[1])):
                connection.execute(sql)
        elif what == "seed":
            connection.execute(f"create table main.big as from read_csv('{root / more[1]}')")
        elif what == "frame":
            frame(connection)
        else:
            for sql in json.loads((root / "bare.json").read_text())[what]:
                connection.execute(sql).fetchall()
        connection.close()


def frame(connection: duckdb.DuckDBPyConnection) -> None:
    """Change a column of a table in pandas."""
    import pyarrow as pa

    big = connection.execute("select * from main.big").to_arrow_table().to_pandas()
    scored = pa.Table.from_pandas(big.assign(amount=big["amount"] * 2), preserve_index=False)
    connection.register("scored_rows", scored)
    connection.execute("create table main.scored as from scored_rows")


def copy(root: Path, dsn: str, path: str) -> None:
    """Send a file to PostgreSQL as it is."""
    import psycopg

    with psycopg.connect(dsn) as connection, (root / path).open("rb") as file:
        connection.execute(
            "create table big (id bigint, customer_id bigint, amount double precision, status text, day date)"
        )
        with connection.cursor().copy("copy big from stdin (format csv, header)") as sink:
            while block := file.read(1024 * 1024):
                sink.write(block)


def read(root: Path) -> None:
    """Read every file of a project, and parse YAML in C."""
    import yaml

    for path in sorted(root.rglob("*")):
        if path.suffix == ".sql":
            path.read_text()
        elif path.suffix == ".yml":
            yaml.load(path.read_text(), Loader=yaml.CSafeLoader)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
