"""Checks against history in tests and builds: whose numbers say what is usual, and whose never do."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowforge import Project
from flowforge.api.check_history import check_histories
from flowforge.events import CheckFinished, Status
from flowforge.values import Relation

FILES = {
    "models/orders.ff.sql": "{{ config(materialized=var('kind', 'table')) }}\n"
    "select i as id, {{ var('mean', 10) }} + i % 3 as amount from range({{ var('n', 100) }}) t(i)\n",
    "models/later.ff.sql": "select count(*) as n from {{ ref('orders') }}\n",
    "models/checks.yml": """
version: 1
models:
  - name: orders
    checks:
      - volume_anomaly: {name: rows, min_history: 3}
    columns:
      - name: amount
        checks:
          - distribution_anomaly: {name: mean, measure: mean, min_history: 3, severity: warn}
""",
}


class Watch:
    """Builds and tests one project again and again."""

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make
        self.project: Project = make(FILES)
        self.events: list[Any] = []

    def check(self, text: str) -> None:
        """Declare the check of the rows in this way."""
        self.files(FILES["models/checks.yml"].replace("volume_anomaly: {name: rows, min_history: 3}", text))

    def files(self, checks: str) -> None:
        (self.project.root / "models/checks.yml").write_text(checks, "utf-8")

    def __call__(self, command: str, **vars: Any) -> dict[str, tuple[str, float | None, str | None]]:
        """By check, how it ended, what it measured, and what there is to say."""
        self.project.close()
        self.project = self.project.reloaded(vars=vars)
        self.events = []
        result = getattr(self.project, command)(listener=self.events.append)
        self.code, self.notes, self.result = result.exit_code, result.notes, result
        return {one.check: (one.status.value, one.measure, one.message or one.remark) for one in result.checks}

    def counted(self, name: str) -> list[float | None]:
        """The numbers that say what is usual."""
        (one,) = (one for one in check_histories(self.project, self.project.select_checks(), limit=99).checks
                  if one.check.id == name)  # fmt: skip
        return [past.measure for past in one.results if past.counts]


@pytest.fixture
def watch(make: Callable[..., Any]) -> Any:
    made = Watch(make)
    yield made
    made.project.close()


def learn(watch: Watch, *sizes: int, command: str = "build", **vars: Any) -> None:
    for size in sizes:
        assert watch(command, n=size, **vars)["rows"][0] == "success"


def test_it_learns_and_then_judges_the_staged_rows(watch: Watch) -> None:
    assert watch("build")["rows"] == ("success", 100.0, "learning (1 of 3)")
    told = [event for event in watch.events if isinstance(event, CheckFinished) and event.check == "rows"]
    assert [(event.remark, event.measure) for event in told] == [("learning (1 of 3)", 100.0)]
    assert watch("build", n=102)["rows"][2] == "learning (2 of 3)"
    assert watch("build", n=98)["rows"][2] == "learning (3 of 3)"
    assert watch("build", n=101)["rows"] == ("success", 101.0, None)
    status, measure, said = watch("build", n=5)["rows"]
    assert (status, measure, watch.code) == ("fail", 5.0, 2)
    assert said == "orders has 5 rows, which is unusually low: usual is 94.81 to 107.2 (4 earlier results)" or (
        "unusually low" in str(said)
    )
    (error,) = watch.result.errors
    today = dt.datetime.now(dt.UTC).date()
    assert (error.help or "").partition("since: ")[2][:10] in (str(today), str(today - dt.timedelta(days=1)))
    nodes = {node.node: node.status for node in watch.result.nodes}
    assert nodes == {"orders.ff": Status.FAIL, "later.ff": Status.SKIPPED}
    with watch.project.session("look") as session:  # what stood there stands there
        assert session.query("select count(*) as n from orders").read_all().to_pylist() == [{"n": 101}]


def test_what_was_not_published_never_says_what_is_usual(watch: Watch) -> None:
    learn(watch, 100, 102, 98)
    for _ in range(5):
        assert watch("build", n=5, mean=90)["rows"][0] == "fail"
    # The mean is of severity `warn`, so it accepts its number; but these rows are not the table's.
    assert watch.counted("rows") == [100.0, 102.0, 98.0]
    assert watch.counted("mean") == [10.99, 11.0, pytest.approx(10.99, abs=0.01)]
    assert watch("build", n=101)["rows"][0] == "success"
    assert watch("test")["mean"][0] == "success"


def test_what_fails_in_a_test_does_not_count_and_a_warning_does(watch: Watch) -> None:
    learn(watch, 100, 102, 98)
    watch("run", n=5, mean=90)
    found = watch("test")
    assert (found["rows"][0], found["mean"][0], watch.code) == ("fail", "warn", 2)
    assert (len(watch.counted("rows")), len(watch.counted("mean"))) == (3, 4)


def test_rows_that_were_not_built_anew_count_once(watch: Watch) -> None:
    learn(watch, 100)
    for _ in range(3):
        assert watch("build")["rows"][2] == "learning (2 of 3)"
        assert watch("test")["rows"][2] == "learning (2 of 3)"
    assert watch.counted("rows") == [100.0]
    learn(watch, 100, 100)  # the model is the same, and so are its rows
    assert watch.counted("rows") == [100.0]
    learn(watch, 101, 100)
    assert watch.counted("rows") == [100.0, 101.0, 100.0]


def test_a_view_may_have_changed_whenever_somebody_looks(watch: Watch) -> None:
    watch("build", kind="view")
    for _ in range(2):
        watch("test", kind="view")
    assert watch.counted("rows") == [100.0] * 3
    assert watch("test", kind="view")["rows"] == ("success", 100.0, None)


def test_rows_of_an_ephemeral_model_count_when_those_that_it_reads_were_published(watch: Watch) -> None:
    models = watch.project.root / "models"
    (models / "base.ff.sql").write_text("select i as id, 10 as amount from range({{ var('n', 100) }}) t(i)", "utf-8")
    (models / "orders.ff.sql").write_text(
        "{{ config(materialized='ephemeral') }}\nselect * from {{ ref('base') }}\n", "utf-8"
    )
    (models / "base.yml").write_text(
        "version: 1\nmodels: [{name: base, checks: [{row_count_between: {max_rows: 110}}]}]\n", "utf-8"
    )
    learn(watch, 100)
    found = watch("build", n=120)
    assert (found["rows"], watch.code) == (("success", 120.0, "learning (2 of 3)"), 2)
    assert watch.counted("rows") == [100.0]


def test_tests_alone_learn_too_where_others_build(watch: Watch) -> None:
    learn(watch, 100, 101)
    shutil.rmtree(watch.project.root / ".flowforge")  # as on a machine that only looks
    for left in (1, 2, 3):
        assert watch("test")["rows"][2] == f"learning ({left} of 3)"
    assert watch("test")["rows"] == ("success", 101.0, None)


def test_who_judges_more_strictly_need_not_learn_anew_and_who_measures_something_else_must(watch: Watch) -> None:
    learn(watch, 100, 102, 98, 100)
    assert watch("build", n=104)["rows"][0] == "success"
    watch.check("volume_anomaly: {name: rows, min_history: 3, max_z: 0.1}")
    assert watch("build", n=110)["rows"][0] == "fail"
    watch.check("volume_anomaly: {name: others, min_history: 3, max_z: 0.1}")
    assert watch("build", n=110)["others"][0] == "fail"
    watch.check("volume_anomaly: {name: rows, min_history: 3, where: 'id > 1'}")
    assert watch("build", n=10)["rows"] == ("success", 8.0, "learning (1 of 3)")


def test_a_new_level_is_accepted_by_a_day(watch: Watch) -> None:
    learn(watch, 100, 102, 98)
    assert watch("build", n=5_000)["rows"][0] == "fail"
    watch.check("volume_anomaly: {name: rows, min_history: 3, since: 2099-01-01}")
    assert watch("build", n=5_000)["rows"] == ("success", 5_000.0, "learning (1 of 3)")


def test_profiles_learn_each_for_themselves(make: Callable[..., Any]) -> None:
    profiles = "".join(f"{name}:\n  engine: duckdb\n  duckdb: {{path: {name}.duckdb}}\n" for name in ("dev", "prod"))
    for env, expected in (("dev", 1), ("dev", 2), ("prod", 1), ("dev", 3)):
        project = make(
            {**FILES, "profiles.yml": profiles, "models/new.ff.sql": "select 1 as x"},
            env=env,
            vars={"n": 100 + expected},
        )
        (rows,) = (one for one in project.build().checks if one.check == "rows")
        assert rows.remark == f"learning ({expected} of 3)"
        project.close()


def test_a_memory_that_cannot_be_read_breaks_the_check_and_is_said(watch: Watch) -> None:
    learn(watch, 100, 102, 98, 100)
    state = Path(watch.project.root, ".flowforge", "state.db")
    state.write_bytes(b"nonsense" * 4096)
    found = watch("test")
    assert (found["rows"][0], found["mean"][0], watch.code) == ("error", "error", 1)
    assert [note.code for note in watch.notes] == ["FF2312"]
    assert {check.problem and check.problem.code for check in watch.result.checks} == {"FF3080"}
    # The file has been replaced, and what was measured in spite of it is in the new one; it was accepted by nobody.
    assert watch("test")["rows"][2] == "learning (1 of 3)"
    state.write_bytes(b"nonsense" * 4096)
    watch("build", n=50)
    (error,) = watch.result.errors
    assert (error.code, "learns anew from the next run on" in (error.help or "")) == ("FF3004", True)
    with watch.project.session("look") as session:
        assert session.query("select count(*) as n from orders").read_all().to_pylist() == [{"n": 100}]


def test_a_source_is_watched_too(make: Callable[..., Any]) -> None:
    files = {
        "sources.yml": "version: 1\nsources:\n  - name: raw\n    schema: main\n    tables:\n      - name: clicks\n"
        "        checks: [{volume_anomaly: {name: clicks, min_history: 2}}]\n",
        "models/m.ff.sql": "select 1 as x\n",
    }
    project = make(files)
    assert project.run().ok
    relation = Relation("clicks", "main")
    for count, expected in ((10, "success"), (11, "success"), (10, "success"), (90, "fail")):
        with project.session("fill") as session:
            session.execute(f"create or replace table {relation} as select * from range({count}) t(i)")
        assert {one.check: one.status.value for one in project.test().checks} == {"clicks": expected}
