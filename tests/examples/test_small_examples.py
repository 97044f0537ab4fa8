"""Rows of the examples that show one feature each, worked out on paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

CopyExample = Callable[[str], Any]


def test_python_models(copy_example: CopyExample) -> None:
    example = copy_example("python_models")
    example.build()
    made = {"limits", "readings_clean", "by_hour", "placed_readings", "sensor_report"}
    assert example.relations() == dict.fromkeys(made | {"readings", "sensors"}, "table")
    assert example.query("select cast(slot as varchar), readings, max_celsius from by_hour order by slot") == [
        ("2024-03-01 08:00:00", 3, 12.0),
        ("2024-03-01 09:00:00", 2, 31.0),
    ]
    assert example.query("select sensor, place, celsius from placed_readings order by sensor, celsius") == [
        ("a", "roof", 4.5),
        ("a", "roof", 5.5),
        ("a", "roof", 31.0),
        ("b", "cellar", 12.0),
        ("b", "cellar", 12.5),
    ]
    assert example.query("select sensor, place, readings, too_warm from sensor_report order by sensor") == [
        ("a", "roof", 3, 1),
        ("b", "cellar", 2, 0),
        ("c", "yard", 0, 0),
    ]


def test_a_required_column_that_is_missing_is_named(copy_example: CopyExample) -> None:
    example = copy_example("python_models")
    seed = example.path / "seeds" / "readings.csv"
    seed.write_text(seed.read_text(encoding="utf-8").replace("celsius", "kelvin"), encoding="utf-8")
    outcome = example.flowforge("build", "python_models")
    assert outcome.code == 1, outcome.text
    assert "celsius" in outcome.err
    assert "readings_clean" in outcome.err
    assert "Traceback" not in outcome.text
    assert "by_hour" not in example.relations()


def test_ephemeral_models_and_views(copy_example: CopyExample) -> None:
    example = copy_example("ephemeral_and_views")
    example.build()
    assert example.relations() == {
        "payments": "table",
        "payments_view": "view",
        "customer_totals": "table",
        "largest_payments": "view",
    }
    assert example.query("select customer, payments, paid_cents from customer_totals order by customer") == [
        ("ada", 1, 1000),
        ("bob", 2, 1000),
        ("cyd", 0, 0),
    ]
    columns = "payment_id, customer, cents, paid_cents"
    assert example.query(f"select {columns} from largest_payments order by payment_id") == [
        (1, "ada", 1000, 1000),
        (3, "bob", 700, 1000),
    ]


def test_compile_shows_the_ephemeral_models_inside(copy_example: CopyExample) -> None:
    example = copy_example("ephemeral_and_views")
    outcome = example.flowforge("compile", "ephemeral_and_views", "--select", "customer_totals")
    assert outcome.code == 0, outcome.text
    assert "state = 'paid'" in outcome.out
    assert "{{" not in outcome.out


def test_views_show_new_seed_rows_and_a_view_can_become_a_table(copy_example: CopyExample) -> None:
    example = copy_example("ephemeral_and_views")
    example.build()
    with (example.path / "seeds" / "payments.csv").open("a", encoding="utf-8") as seed:
        seed.write("6,eve,100,paid\n")
    assert example.flowforge("seed", "ephemeral_and_views").code == 0
    assert example.query("select count(*) from payments_view") == [(6,)]
    assert example.query("select count(*) from customer_totals") == [(3,)]

    view = example.path / "models" / "payments_view.ff.sql"
    view.write_text(view.read_text(encoding="utf-8").replace("'view'", "'table'"), encoding="utf-8")
    example.build()
    assert example.relations()["payments_view"] == "table"
    assert example.query("select count(*) from customer_totals") == [(4,)]


def test_portable_functions(copy_example: CopyExample) -> None:
    example = copy_example("portable_functions")
    example.build()
    assert example.query(
        "select order_id, cast(ordered_at as varchar), cast(amount as varchar), is_paid from orders"
    ) == [
        (1, "2024-01-31 18:30:00", "10.00", True),
        (2, "2024-01-15 00:00:00", "0.00", False),
        (3, "2024-02-29 09:00:00", "7.26", True),
        (4, None, "1.00", True),
        (5, "2024-03-04 00:00:00.5", "25.00", True),
        (None, "2024-03-03 23:59:59", "3.10", False),
        (7, "2023-12-31 23:59:59", "99.99", True),
        (8, "2024-03-31 00:00:00", "5.00", False),
    ]
    columns = "month, last_day, orders, cast(amount as varchar), all_paid, listed, weeks"
    assert example.query(f"select {columns} from months order by month") == [
        ("2024-01-01", "2024-01-31", 2, "10.00", False, "1:10.00, 2:0.00", 2),
        ("2024-02-01", "2024-02-29", 1, "7.26", True, "3:7.26", 0),
        ("2024-03-01", "2024-03-31", 2, "28.10", False, "5:25.00", 1),
    ]
    assert example.query("select cast(post as varchar), cast(shop as varchar), orders from channels") == [
        ("5.00", "103.09", 8)
    ]
    assert example.query("select monday, paid from weeks order by monday limit 2") == [
        ("2023-12-25", 1),
        ("2024-01-15", 0),
    ]
    outcome = example.flowforge("build", "portable_functions", "--vars", "from=2024-02-01", "channels=[web]")
    assert outcome.code == 0
    assert example.query("select month, orders from months order by month") == [("2024-02-01", 1), ("2024-03-01", 1)]


def test_tables_that_grow(copy_example: CopyExample) -> None:
    example = copy_example("growing_tables")
    example.build()
    assert example.query("select orders, versions, cast(euros as varchar), points from summary") == [
        (3, 3, "19.50", 19)
    ]
    seed = example.path / "seeds" / "deliveries.csv"
    text = seed.read_text(encoding="utf-8")
    text = text.replace("3,ada,700,2024-03-02,2024-03-02 08:30:00", "3,ada,900,2024-03-02,2024-03-03 07:00:00")
    seed.write_text(
        f"{text}4,cyd,500,2024-03-03,2024-03-03 08:00:00\n1,ada,1,2024-03-01,2024-02-01 00:00:00\n", "utf-8"
    )
    example.build()
    columns = "order_id, cast(euros as varchar)"
    assert example.query(f"select {columns} from orders order by 1") == [
        (1, "10.00"),  # the late line is older than what the table knows
        (2, "2.50"),
        (3, "9.00"),
        (4, "5.00"),
    ]
    assert example.query(f"select {columns} from order_log order by 1, 2") == [
        (1, "10.00"),
        (2, "2.50"),
        (3, "7.00"),
        (3, "9.00"),
        (4, "5.00"),
    ]
    assert example.query("select cast(day as varchar), orders from daily order by 1") == [
        ("2024-03-01", 2),
        ("2024-03-02", 1),
        ("2024-03-03", 1),
    ]
    assert example.query("select orders, versions, points from summary") == [(4, 5, 26)]
    outcome = example.flowforge("source", "freshness", "growing_tables")
    assert outcome.code == 0
    assert "shop.deliveries" in outcome.out


def test_windows_of_time(copy_example: CopyExample) -> None:
    example = copy_example("microbatches")
    example.build()
    months = "select cast(month as varchar), page, visits, visitors from visits_by_month order by 1, 2"
    assert example.query(months) == [
        ("2023-12-01", "home", 1, 1),
        ("2024-01-01", "home", 1, 1),
        ("2024-02-01", "shop", 1, 1),
        ("2024-03-01", "home", 1, 1),
        ("2024-03-01", "shop", 1, 1),
    ]
    assert example.query("select visit_id from longest_names order by 1") == [(1,), (2,)]
    assert example.query("select visitor, cast(last_seen as varchar) from visitors order by 1") == [
        ("ada", "2024-02-29 12:30:00"),
        ("bob", "2024-03-31 01:30:00"),
        ("cyd", "2024-03-01 08:00:00"),
    ]
    seed = example.path / "seeds" / "visits.csv"
    seed.write_text(seed.read_text(encoding="utf-8") + "6,help,ada,2024-02-15 00:00:00\n", "utf-8")
    example.build()
    assert len(example.query(months)) == 5, "a month that is long over is not looked at again by itself"
    named = ("--event-time-start", "2024-02-10", "--event-time-end", "2024-02-20")
    outcome = example.flowforge("run", "microbatches", "-s", "visits_by_month", *named)
    assert outcome.code == 0, outcome.text
    assert example.query(months)[2:4] == [("2024-02-01", "help", 1, 1), ("2024-02-01", "shop", 1, 1)]


def test_seeds_of_every_kind(copy_example: CopyExample) -> None:
    example = copy_example("seeds_of_every_kind")
    example.build()
    assert example.query("select name, dialing from namibia") == [("Namibia", "00264")]
    assert example.query("select product, cast(price as varchar) from main_shop.price_list order by product") == [
        ("Brötchen", "0.40"),
        ("Käse", "12.50"),
        ("Äpfel; lose", "1.25"),
    ]
    assert example.query("select order_id, customer, note from legacy_orders order by order_id") == [
        (2**53 + 1, "ada", '5" pipe'),
        (2**53 + 2, "bob", None),
    ]
    assert example.query("select id, device.os, order_id from events order by id") == [
        (1, "linux", None),
        (2, None, 2**53 + 1),
        (3, None, None),
    ]
    assert example.query("select id, kind, fiscal_month, customer from activity order by id") == [
        (1, "login", 12, None),
        (2, "order", 12, "ada"),
        (3, "logout", 12, None),
    ]
    origin = "count(*), min(_ff_seed_id), max(_ff_seed_file), count(_ff_loaded_at)"
    assert example.query(f"select {origin} from fiscal_months") == [
        (12, "fiscal_months", "seeds/fiscal_months.sql", 12)
    ]


def test_a_wrong_mark_in_a_price_is_told_with_its_line(copy_example: CopyExample) -> None:
    example = copy_example("seeds_of_every_kind")
    example.build()
    seed = example.path / "seeds" / "german" / "prices.csv"
    seed.write_bytes(seed.read_bytes().replace(b"1,25", b"1.25"))
    outcome = example.flowforge("seed", "seeds_of_every_kind", "--select", "path:seeds/german")
    assert outcome.code == 1, outcome.text
    assert "seeds/german/prices.csv:2:15" in outcome.err
    assert example.query("select count(*) from main_shop.price_list where price = 1.25") == [(1,)]


def test_files_as_sources(copy_example: CopyExample) -> None:
    example = copy_example("files_as_sources")
    example.build()
    assert example.relations() == {"daily": "table", "records": "view"}
    assert example.query("select cast(day as varchar), place, celsius, readings from daily order by day, place") == [
        ("2024-03-01", "Roof", 4.5, 1),
        ("2024-03-01", "Valley", 7.0, 1),
        ("2024-03-02", "Roof", 5.5, 1),
    ]
    records = "select place, warmest, warmest_in, coldest from records order by place"
    assert example.query(records) == [("Roof", 35.0, 2023, -8.0), ("Valley", 30.0, 2022, -1.5)]
    again = example.flowforge("build", "files_as_sources")
    assert (again.code, "2 unchanged" in again.text) == (0, True), again.text


def test_a_new_file_builds_what_reads_its_folder(copy_example: CopyExample) -> None:
    example = copy_example("files_as_sources")
    example.build()
    line = '{"station": "008", "day": "2024-03-03", "celsius": 6.0}\n'
    (example.path / "data" / "readings" / "2024-03-03.jsonl").write_text(line, encoding="utf-8")
    built = example.flowforge("build", "files_as_sources")
    assert (built.code, "1 ok, 1 unchanged" in built.text) == (0, True), built.text
    assert example.query("select count(*) from daily") == [(4,)]
    (example.path / "data" / "stations.csv").rename(example.path / "stations.csv")
    refused = example.flowforge("build", "files_as_sources")
    assert refused.code == 1, refused.text
    assert "error[FF1032]" in refused.err
    assert "sources.yml:9:9" in refused.err
    assert example.query("select count(*) from daily") == [(4,)]


def test_checked_invoices(copy_example: CopyExample) -> None:
    example = copy_example("checked_invoices")
    example.build()
    assert example.query("select invoice, gross_cents, open_cents from balances order by invoice") == [
        ("R-001", 11900, 0),
        ("R-002", 4760, 0),
        ("R-003", 3035, 3035),
        ("R-004", 1071, 0),
    ]
    units = example.flowforge("utest", "checked_invoices")
    assert units.code == 0, units.text
    assert "4 passed" in units.text
    with (example.path / "seeds" / "payments.csv").open("a", encoding="utf-8") as seed:
        seed.write("5,R-999,1\n")
    outcome = example.flowforge("build", "checked_invoices")
    assert outcome.code == 2, outcome.text
    assert "payments.invoice has 1 row whose value is not in ref('invoices').invoice" in outcome.text
    assert example.query("select count(*) from payments") == [(4,)]
    model = example.path / "models" / "balances.ff.sql"
    model.write_text(model.read_text(encoding="utf-8").replace("round(", "floor("), encoding="utf-8")
    units = example.flowforge("utest", "checked_invoices")
    assert units.code == 2, units.text
    assert "gross_cents is 1070, expected 1071" in units.text


def test_unit_tests(copy_example: CopyExample) -> None:
    example = copy_example("unit_tests")
    example.build()
    query = "select customer, invoices, cents from overdue order by customer"
    standing = [("ada", 1, 3035), ("bob", 1, 4760)]
    assert example.query(query) == standing
    model = example.path / "models" / "overdue.ff.sql"
    model.write_text(model.read_text(encoding="utf-8").replace(" > ", " >= "), encoding="utf-8")
    refused = example.flowforge("build", "unit_tests")
    assert refused.code == 2, refused.text
    assert "thirty days are not too long, thirty-one are: ~ row 1 (customer='ada', days=31)" in refused.text
    assert example.query(query) == standing
    created = example.flowforge("utest", "unit_tests", "--create", "overdue", "--path", "tests/unit/live.yml")
    assert created.out == "tests/unit/live.yml\n", created.text
    assert example.flowforge("utest", "unit_tests", "--path", "unit_tests/tests/unit/live.yml").code == 0


def test_own_checks(copy_example: CopyExample) -> None:
    example = copy_example("own_checks")
    example.build()
    tested = example.flowforge("test", "own_checks")
    assert tested.code == 0, tested.text
    assert "✓ passed: 4" in tested.out
    assert "! warned: 1" in tested.out
    orders = example.path / "seeds" / "orders.csv"
    sound = orders.read_text(encoding="utf-8")
    orders.write_text(sound.replace("2.50", "2.505"), encoding="utf-8")
    outcome = example.flowforge("build", "own_checks")
    assert outcome.code == 2, outcome.text
    assert "paid_orders.price has 1 failing row" in outcome.text
    assert example.query("select price from paid_orders where order_id = 2") == [(2.5,)]
    orders.write_text(sound.replace("10.00", "0.00").replace("2024-03-01", "2024-04-01"), encoding="utf-8")
    outcome = example.flowforge("build", "own_checks", "--keep-going")
    assert outcome.code == 2, outcome.text
    assert "shipped_after_ordered gives 1 failing row" in outcome.text
    orders.write_text(sound.replace("10.00", "0.00"), encoding="utf-8")
    outcome = example.flowforge("build", "own_checks")
    assert "paid_orders.price: only 50% are above 0, expected 70%" in outcome.text
    checks = example.path / "models" / "checks.yml"
    checks.write_text(checks.read_text(encoding="utf-8").replace("digits: 2", "digit: 2"), encoding="utf-8")
    outcome = example.flowforge("validate", "own_checks")
    assert outcome.code == 1
    assert "did you mean 'digits'?" in outcome.text


def test_history(copy_example: CopyExample) -> None:
    example = copy_example("history")
    example.build()
    assert example.query("select id, name, city from customer_history where _ff_is_current order by id") == [
        (1, "ada", "rome"),
        (2, "bob", "oslo"),
        (3, "cyd", "lima"),
    ]
    assert example.query("select count(*) from moves") == [(0,)]
    for name, before, after in (
        ("customers", "1,ada,rome,2024-03-01 09:00:00", "1,ada,paris,2024-03-05 09:00:00"),
        ("customers", "2,bob,oslo", "2,bob,bergen"),  # without another changed_at, which is no change
        ("prices", "north,pen,120", "north,pen,130"),
        ("prices", "south,pen,110\n", ""),
    ):
        seed = example.path / "seeds" / f"{name}.csv"
        seed.write_text(seed.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    example.build()
    own = "cast(_ff_valid_from as varchar), cast(_ff_valid_to as varchar)"
    assert example.query(f"select city, {own} from customer_history where id < 3 order by id, 2") == [
        ("rome", "2024-03-01 09:00:00", "2024-03-05 09:00:00"),
        ("paris", "2024-03-05 09:00:00", None),
        ("oslo", "2024-03-01 10:00:00", None),
    ]
    assert example.query("select name, from_city, to_city, cast(moved_at as varchar) from moves") == [
        ("ada", "rome", "paris", "2024-03-05 09:00:00")
    ]
    states = "cents, _ff_is_current, _ff_is_deleted"
    assert example.query(f"select shop, item, {states} from price_history order by 1, 2, 4, 5, 3") == [
        ("north", "ink", 450, True, False),
        ("north", "pen", 120, False, False),
        ("north", "pen", 130, True, False),
        ("south", "pen", 110, False, False),
        ("south", "pen", 110, True, True),
    ]
    assert example.flowforge("run", "history", "--full-refresh").code == 0
    assert example.query("select count(*) from price_history") == [(5,)]
    dry = example.flowforge("snapshot", "run", "history", "--prune", "--keep-last", "1", "--dry-run")
    assert dry.code == 0
    assert "2 old versions would go" in dry.out
    assert example.flowforge("snapshot", "run", "history", "--prune", "--keep-last", "1").code == 0
    assert example.query("select count(*) from price_history") == [(3,)]


def test_settings_of_models(copy_example: CopyExample) -> None:
    example = copy_example("model_settings")
    example.build()
    assert example.query("select model, rows_now from build_log order by model") == [
        ("revenue", 2),
        ("top_customers", 1),
    ]
    assert example.query("select customer, cents::bigint from top_customers") == [("ada", 1700)]
    indexes = "select table_name, is_unique from duckdb_indexes() order by 1, 2"
    assert example.query(indexes) == [("customers", False), ("customers", True), ("top_customers", False)]
    assert example.query("select comment from duckdb_tables() where table_name = 'revenue'") == [
        ("What came in, by customer.",)
    ]
    example.build()
    assert example.query("select count(*) from build_log") == [(2,)]
    with (example.path / "seeds" / "payments.csv").open("a", encoding="utf-8") as seed:
        seed.write("4,bob,2000\n")
    example.build()
    assert example.query("select customer, cents::bigint from top_customers") == [("bob", 2250)]
    assert example.query("select count(*) from build_log") == [(4,)]
    assert example.query(indexes) == [("customers", False), ("customers", True), ("top_customers", False)]
    outcome = example.flowforge("ls", "model_settings", "-s", "group:finance")
    assert outcome.out.split() == ["revenue", "top_customers"], outcome.text


def test_promised_columns(copy_example: CopyExample) -> None:
    example = copy_example("promised_columns")
    example.build()
    columns = (
        "select column_name, data_type from duckdb_columns() where table_name = 'orders_paid' order by column_index"
    )
    assert example.query(columns) == [
        ("order_id", "BIGINT"),
        ("payments", "BIGINT"),
        ("paid_cents", "BIGINT"),
        ("last_paid_on", "DATE"),
    ]
    seed = example.path / "seeds" / "payments.csv"
    seed.write_text(seed.read_text(encoding="utf-8").replace("1250", "1250.5"), encoding="utf-8")
    outcome = example.flowforge("build", "promised_columns")
    assert outcome.code == 1, outcome.text
    assert "1250.5 becomes" in outcome.err
    assert example.query("select sum(cents) from payments_clean") == [(3230,)]
    assert example.query("select paid_cents from orders_paid where order_id = 10") == [(1250,)]


def test_watched_data(copy_example: CopyExample) -> None:
    example = copy_example("watched_data")
    sizes = {1: 20, 2: 22, 3: 19, 4: 21, 5: 20}
    for day, size in sizes.items():
        outcome = example.flowforge("build", "watched_data", "--vars", f"day={day}")
        assert outcome.code == 0, outcome.text
        assert (f"visits_a_day: learning ({day} of 4)" in outcome.text) == (day < 5)
        assert example.query("select count(*) from visits") == [(size,)]
    outcome = example.flowforge("build", "watched_data", "--vars", "day=6")
    assert outcome.code == 2, outcome.text
    assert "visits has 10 rows, which is unusually low: usual is at least 14.81 (5 earlier results)" in outcome.text
    assert "visits.visitor has the share of NULLs 0.2, which is unusually high" in outcome.text
    assert example.query("select count(*) from visits") == [(20,)]
    lines = example.flowforge("test", "watched_data", "--history").out.splitlines()
    assert [line.split()[:3] for line in lines if line.startswith("✓")] == [
        ["✓✓✓✓✓✗", "volume_anomaly", "visits"],
        ["✓✓✓✓✓!", "distribution_anomaly", "visits.seconds"],
        ["✓✓✓✓✓✗", "distribution_anomaly", "visits.visitor"],
    ]
