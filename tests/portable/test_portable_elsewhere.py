"""What the translator would say with other rows, or not at all, for engines that no case of the tables runs on."""

from __future__ import annotations

import pytest

from flowforge.portable.names import Placeholders
from flowforge.portable.translate import Untranslatable, translate
from flowforge_bigquery.dialect import BigQueryDialect
from flowforge_snowflake.dialect import SnowflakeDialect
from flowforge_spark.dialect import SparkDialect

DIALECTS = {"bigquery": BigQueryDialect(), "snowflake": SnowflakeDialect(), "spark": SparkDialect()}
CASTS = {
    "cast(x as decimal(18, 2))": "CAST(ROUND(CAST(x AS BIGNUMERIC), 2) AS NUMERIC)",
    "cast(x as decimal(5))": "CAST(ROUND(CAST(x AS BIGNUMERIC), 0) AS NUMERIC)",
    "cast(x as decimal(38, 9))": "CAST(ROUND(CAST(x AS BIGNUMERIC), 9) AS NUMERIC)",
    "cast(x as decimal(38, 0))": "CAST(ROUND(CAST(x AS BIGNUMERIC), 0) AS BIGNUMERIC)",
    "cast(x as decimal(12, 10))": "CAST(ROUND(CAST(x AS BIGNUMERIC), 10) AS BIGNUMERIC)",
    "try_cast(x as decimal(9, 2))": "SAFE_CAST(ROUND(SAFE_CAST(x AS BIGNUMERIC), 2) AS NUMERIC)",
}


def translated(sql: str, engine: str) -> str:
    found = translate(f"select {sql} as y from t", "duckdb", DIALECTS[engine], Placeholders())
    return " ".join(found.sql.split()).removeprefix("SELECT ").removesuffix(" AS y FROM t")


@pytest.mark.parametrize(("sql", "said"), CASTS.items(), ids=list(CASTS))
def test_rounding_is_said_where_casts_take_no_digits(sql: str, said: str) -> None:
    assert translated(sql, "bigquery") == said


@pytest.mark.parametrize("engine", DIALECTS)
def test_what_is_no_text_is_joined_as_a_text(engine: str) -> None:
    text = "VARCHAR" if engine == "snowflake" else "STRING"
    assert translated("concat(v, '-')", engine) == f"CONCAT(COALESCE(CAST(v AS {text}), ''), '-')"


def test_something_that_is_true_is_never_unknown() -> None:
    assert translated("v is true", "snowflake") == "COALESCE(( v ), FALSE)"
    assert translated("v is not false", "snowflake") == "NOT COALESCE(NOT ( v ), FALSE)"
    assert translated("v is null", "snowflake") == "v IS NULL"
    assert translated("v is true", "bigquery") == "v IS TRUE"


def test_the_traits_of_a_dialect_are_those_of_the_one_that_it_is_like() -> None:
    assert translated("cast(2.5 as integer)", "spark") == "CAST(ROUND(2.5) AS INT)"


@pytest.mark.parametrize("engine", DIALECTS)
@pytest.mark.parametrize("source", ["duckdb", "postgres"])
def test_a_zone_is_refused_where_a_function_goes_one_way_only(source: str, engine: str) -> None:
    """Of a time without zone, the translator's function would give the opposite of what is meant."""
    sql = "select v,\n ts at time zone 'UTC' as a from t"
    with pytest.raises(Untranslatable, match="AT TIME ZONE") as caught:
        translate(sql, source, DIALECTS[engine], Placeholders())
    (remark,) = caught.value.remarks
    assert remark.offset is not None
    assert sql.count("\n", 0, remark.offset) == 1
