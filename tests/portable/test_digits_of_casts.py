"""A cast to a decimal rounds, also on an engine that takes no digits in the type of a cast."""

from __future__ import annotations

import pytest

from flowforge.portable.names import Placeholders
from flowforge.portable.translate import translate
from flowforge_bigquery.dialect import BigQueryDialect

CASES = {
    "cast(x as decimal(18, 2))": "CAST(ROUND(CAST(x AS BIGNUMERIC), 2) AS NUMERIC)",
    "cast(x as decimal(5))": "CAST(ROUND(CAST(x AS BIGNUMERIC), 0) AS NUMERIC)",
    "cast(x as decimal(38, 9))": "CAST(ROUND(CAST(x AS BIGNUMERIC), 9) AS NUMERIC)",
    "cast(x as decimal(38, 0))": "CAST(ROUND(CAST(x AS BIGNUMERIC), 0) AS BIGNUMERIC)",
    "cast(x as decimal(12, 10))": "CAST(ROUND(CAST(x AS BIGNUMERIC), 10) AS BIGNUMERIC)",
    "try_cast(x as decimal(9, 2))": "SAFE_CAST(ROUND(SAFE_CAST(x AS BIGNUMERIC), 2) AS NUMERIC)",
}


@pytest.mark.parametrize(("sql", "said"), CASES.items(), ids=list(CASES))
def test_the_rounding_is_said(sql: str, said: str) -> None:
    found = translate(f"select {sql} as y from t", "duckdb", BigQueryDialect(), Placeholders())
    assert " ".join(found.sql.split()) == f"SELECT {said} AS y FROM t"
