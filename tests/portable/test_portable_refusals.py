"""What would give other rows is refused, with its line."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from portable_cases import CASES

from flowforge.contract import Dialect
from flowforge.portable.names import Placeholders
from flowforge.portable.translate import BEYOND, DOUBT, Untranslatable, translate

REFUSED = tomllib.loads((CASES / "refused.toml").read_text("utf-8"))["refused"]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case['from']}-{case['to']}-{case['sql']}")
def test_refused(case: dict[str, Any], dialects: dict[str, Dialect]) -> None:
    with pytest.raises(Untranslatable) as caught:
        translate(case["sql"], case["from"], dialects[case["to"]], Placeholders())
    (remark,) = caught.value.remarks
    assert remark.code == case["code"]
    assert case["says"] in remark.text
    if "line" in case:
        assert remark.offset is not None
        assert case["sql"].count("\n", 0, remark.offset) + 1 == case["line"]


def test_all_flaws_are_told_at_once(dialects: dict[str, Dialect]) -> None:
    sql = "select v / 2,\n frob(v),\n round(f)\nfrom t"
    with pytest.raises(Untranslatable) as caught:
        translate(sql, "postgres", dialects["duckdb"], Placeholders())
    assert [sql.count("\n", 0, one.offset) + 1 for one in caught.value.remarks] == [1, 2, 3]


@pytest.mark.parametrize(
    ("sql", "source", "target", "code", "says"),
    [
        ("select dayname(d) from t", "duckdb", "postgres", BEYOND, "DAYNAME()"),
        ("select approx_count_distinct(v) from t", "duckdb", "postgres", BEYOND, "APPROX"),
        ("select 1", "mysql", "duckdb", BEYOND, "nobody has tested"),
        ("select substring(s, strpos(s, 'b')) from t", "duckdb", "postgres", DOUBT, "computed"),
        ("select cast(upper(s) as int) from t", "spark", "duckdb", DOUBT, "cuts off"),
        ("select cast(s as int64) from t", "bigquery", "duckdb", DOUBT, "rounds"),
    ],
)
def test_warned_of(sql: str, source: str, target: str, code: str, says: str, dialects: dict[str, Dialect]) -> None:
    warnings = translate(sql, source, dialects[target], Placeholders()).warnings
    assert [says in one.text for one in warnings if one.code == code] == [True]


DEEP = ["select " + "(" * 900 + "1" + ")" * 900, f"select ({' + '.join(['v'] * 5000)}) / 2 from t"]


@pytest.mark.parametrize("sql", DEEP, ids=["parentheses", "sum"])
def test_what_is_nested_too_deeply(sql: str, dialects: dict[str, Dialect]) -> None:
    with pytest.raises(Untranslatable, match="nested too deeply") as caught:
        translate(sql, "postgres", dialects["duckdb"], Placeholders())
    assert caught.value.remarks[0].code == "FF1145"


def test_long_chains_are_not_deep(dialects: dict[str, Dialect]) -> None:
    sql = "select 1 as a from t where " + " or ".join(f"v = {number}" for number in range(1500))
    assert "v = 1499" in translate(sql, "duckdb", dialects["postgres"], Placeholders()).sql
