"""The SQL of portable functions, word by word; that it gives the right rows is shown by the conformance suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowforge.testkit.golden import Golden, assert_all_said, assert_golden, read_golden
from flowforge_spark.dialect import SparkDialect

DIALECT = SparkDialect()


@pytest.mark.parametrize("golden", read_golden(Path(__file__).with_name("portable_functions.toml")), ids=str)
def test_a_call_becomes_this_sql(golden: Golden) -> None:
    assert_golden(DIALECT, golden)


def test_every_function_is_written_or_refused_with_a_reason() -> None:
    assert_all_said(DIALECT)
