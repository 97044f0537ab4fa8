"""Both projects have the same tables with the same rows on the engine that ``FF_PARITY`` names as on DuckDB.

The models are DuckDB's SQL, which is translated. Tables that are known to differ are in ``targets/``, each with the reason:
one that does not differ any more fails, as one does that differs without being named.
"""

from __future__ import annotations

import collections
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

HERE = Path(__file__).resolve().parent
FLIGHTS = HERE.parents[1] / "examples" / "nycflights"
SAMPLE = 5000
FILES = ("*.ff.sql", "*.ff.py")
SEEDS = {"portable": 6, "nycflights": 5}
EPHEMERAL = {"eph_settled", "int_flight_status", "int_airport_traffic"}
ALIASES = {"exact_numbers": "numbers_exactly"}


def names_of(project: str) -> list[str]:
    """The relations of a project, as its files say."""
    folder = HERE / "project" if project == "portable" else FLIGHTS
    models = [path.name.partition(".")[0] for pattern in FILES for path in (folder / "models").rglob(pattern)]
    seeds = [path.stem for path in (folder / "seeds").iterdir() if path.suffix != ".yml"]
    assert len(seeds) == SEEDS[project]
    return sorted(ALIASES.get(name, name) for name in {*models, *seeds} - EPHEMERAL)


@attrs.frozen
class Compared:
    """One project on both engines, built twice."""

    first: Any
    second: Any
    stands: Any
    read: Callable[[str], Any]

    def table(self, name: str) -> tuple[Any, Any]:
        """What stands under a name in both places."""
        ours, theirs = (stands.get(name) for stands in self.stands)
        return ours, theirs


def compared(pair: Any, name: str, run_both: Any, known: Mapping[str, Any]) -> Compared:
    first = run_both(pair, "build", "--keep-going")
    second = run_both(pair, "build", "--keep-going")
    assert first[0].code == 0, [one["message"] for one in first[0].of("error")]
    schemas, unread = (name, f"{name}_marts"), {table for table, one in known.items() if one.get("unread")}
    stands = pair[0].shown(*schemas), pair[1].shown(*schemas, without=unread)
    return Compared(first, second, stands, lambda table: pair[1].shown(*schemas, only=table))


@pytest.fixture(scope="session")
def portable_there(new_places: Callable[..., Any], run_both: Any, target: Any) -> Compared:
    """The portable project."""
    return compared(*new_places(HERE / "project"), run_both, target.differences.get("portable", {}))


@pytest.fixture(scope="session")
def flights_there(new_places: Callable[..., Any], run_both: Any, target: Any) -> Compared:
    """The flights of New York, of which every seventieth or so is taken, and the weather at their hours."""
    pair, name = new_places(FLIGHTS)
    for place in pair:
        seeds = place.root / "seeds"
        flights = pq.read_table(seeds / "flights.parquet")
        flights = flights.take(pa.array(range(0, len(flights), len(flights) // SAMPLE))[:SAMPLE])
        weather = pq.read_table(seeds / "weather.parquet")
        weather = weather.filter(pc.is_in(weather["time_hour"], value_set=flights["time_hour"].combine_chunks()))
        pq.write_table(flights, seeds / "flights.parquet")
        pq.write_table(weather, seeds / "weather.parquet")
        for file in [place.root / "project.yml", *(place.root / "models").rglob("*.yml")]:  # as many as in a whole year
            file.write_text(re.sub(r"min_rows: [0-9]+", "min_rows: 1", file.read_text("utf-8")), "utf-8")
    return compared(pair, name, run_both, target.differences.get("nycflights", {}))


@pytest.fixture
def project(request: pytest.FixtureRequest) -> Callable[[str], Compared]:
    """The built project of a name."""
    fixtures = {"portable": "portable_there", "nycflights": "flights_there"}
    return lambda name: request.getfixturevalue(fixtures[name])  # type: ignore[no-any-return]


PLACES = [(project, name) for project in SEEDS for name in names_of(project)]


@pytest.mark.parametrize(("which", "name"), PLACES, ids=[f"{one}-{name}" for one, name in PLACES])
def test_the_same_table(which: str, name: str, project: Callable[[str], Compared], target: Any) -> None:
    known = target.differences.get(which, {}).get(name, {})
    assert not known or known["reason"]
    ours, theirs = project(which).table(name)
    assert ours is not None
    assert ours.rows
    if known.get("missing"):
        assert theirs is None
        return
    if known.get("unread"):
        with pytest.raises(pa.ArrowInvalid):
            project(which).read(name)
        return
    errors = project(which).first[1].of("error")
    assert theirs is not None, [(one["code"], one["path"], one["line"], one["message"]) for one in errors]
    assert (theirs.kind, list(theirs.types)) == (ours.kind, list(ours.types))
    differing = [name for at, name in enumerate(ours.types) if column_of(ours, at) != column_of(theirs, at)]
    assert differing == known.get("columns", [])
    others = [list(ours.types).index(column) for column in differing]
    mine, other = (without(one, others) for one in (ours, theirs))
    differs = [
        sorted((row for row in rows if mine.get(row) != other.get(row)), key=str) for rows in map(dict, (mine, other))
    ]
    assert [rows[:2] for rows in differs] == [[], []], [len(rows) for rows in differs]


def column_of(shown: Any, at: int) -> collections.Counter[Any]:
    return collections.Counter(row[at] for row in shown.rows.elements())


def without(shown: Any, others: list[int]) -> dict[tuple[Any, ...], int]:
    """The rows, and how often they are there, without some columns."""
    found: dict[tuple[Any, ...], int] = {}
    for row, count in shown.rows.items():
        left = tuple(value for at, value in enumerate(row) if at not in others)
        found[left] = found.get(left, 0) + count
    return found


@pytest.mark.parametrize("which", SEEDS)
def test_the_second_run_builds_nothing(which: str, project: Callable[[str], Compared], target: Any) -> None:
    known = {ALIASES.get(name, name) for name, one in target.differences.get(which, {}).items() if one.get("missing")}
    built = {node for node, status in project(which).second[1].statuses.items() if status != "cached"}
    assert {ALIASES.get(node, node) for node in built} == known


@pytest.mark.parametrize("which", SEEDS)
def test_checks_say_the_same(which: str, project: Callable[[str], Compared], target: Any) -> None:
    keys = ("node", "column", "severity", "status", "failures")
    ours, theirs = (
        {one["check"]: [one[key] for key in keys] for one in ended.of("check_finished")}
        for ended in project(which).first
    )
    known = {name for name, one in target.differences.get(which, {}).items() if one.get("missing")}
    assert ours
    assert {check: said for check, said in ours.items() if said[0] not in known} == theirs


def test_known_differences_are_of_tables(target: Any) -> None:
    named = {(project, table) for project, tables in target.differences.items() for table in tables}
    assert named <= set(PLACES)


@pytest.fixture(scope="session", autouse=True)
def noted(request: pytest.FixtureRequest, target: Any) -> Any:
    """Write down what was found, where ``FF_PARITY_REPORT`` asks for it."""
    yield
    file = os.environ.get("FF_PARITY_REPORT")
    if file and not request.session.testsfailed:
        known = target.differences
        found = {which: {"tables": len(names_of(which)), "differences": known.get(which, {})} for which in SEEDS}
        Path(file).write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", "utf-8")
