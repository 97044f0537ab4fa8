"""The SQL of portable functions, word by word; that it gives the right rows is shown by the conformance suite."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import sqlglot

from flowforge.contract.functions import FUNCTIONS, PARTS, TYPES
from flowforge.errors import RenderError
from flowforge.project.volatile_sql import scan_rendered
from flowforge.testkit.functions import written
from flowforge_postgres.dialect import PostgresDialect

GOLDEN = tomllib.loads(Path(__file__).with_name("portable_functions.toml").read_text("utf-8"))["golden"]
DIALECT = PostgresDialect()


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["call"])
def test_a_call_becomes_this_sql(golden: dict[str, str]) -> None:
    if "error" in golden:
        with pytest.raises(RenderError) as caught:
            written(DIALECT, golden["call"])
        assert (caught.value.code, caught.value.message) == ("FF1418", golden["error"])
        return
    sql = written(DIALECT, golden["call"])
    assert sql == golden["sql"]
    sqlglot.parse_one(f"SELECT {sql} AS r FROM t", read="postgres")  # so does `flowforge validate`
    found = scan_rendered(f"SELECT {sql} AS r FROM t", [("t",)], DIALECT.fold)
    assert not found.relations
    assert bool(found.volatile) == ("current_timestamp" in golden["call"])


def test_every_function_is_written_or_refused_with_a_reason() -> None:
    known = {*FUNCTIONS, *(f"{name}.{part}" for name in ("date_trunc", "date_add", "date_diff") for part in PARTS)}
    assert set(DIALECT.functions) <= known | {f"type.{word}" for word in TYPES}
    said = {key.partition(".")[0] for key in DIALECT.functions}
    assert {name for name, one in FUNCTIONS.items() if one.standard is None and "." not in name} <= said | {"type"}
