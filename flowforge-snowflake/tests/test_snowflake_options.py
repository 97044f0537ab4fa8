"""What a model may ask of its table."""

from __future__ import annotations

from typing import Any

import pytest

from flowforge.contract import CreateKind, Index, TableOptions
from flowforge.errors import UnsupportedError
from flowforge_snowflake.dialect import SnowflakeDialect
from flowforge_snowflake.options import check_options, clauses, is_transient, right_statements

DIALECT = SnowflakeDialect()


@pytest.mark.parametrize(
    "options",
    [
        TableOptions(partition_by=("day",)),
        TableOptions(indexes=(Index(("id",)),)),
        TableOptions(format="iceberg"),
        TableOptions(location="s3://bucket"),
        TableOptions(options={"colour": "red"}),
        TableOptions(options={"transient": "yes"}),
        TableOptions(options={"data_retention_time_in_days": True}),
        TableOptions(grants={"own": ("reader",)}),
    ],
    ids=repr,
)
def test_what_cannot_be_done_is_refused(options: TableOptions) -> None:
    with pytest.raises(UnsupportedError):
        check_options(options)


@pytest.mark.parametrize("options", [TableOptions(cluster_by=("id",)), TableOptions(options={"transient": True})])
def test_a_view_has_no_layout(options: TableOptions) -> None:
    check_options(options)
    with pytest.raises(UnsupportedError):
        check_options(options, CreateKind.VIEW)


def test_materialized_views_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="by itself"):
        check_options(TableOptions(), CreateKind.MATERIALIZED_VIEW)


def test_clauses_of_a_new_table() -> None:
    options = TableOptions(cluster_by=("day", "two words"), options={"data_retention_time_in_days": 3})
    assert clauses(options, DIALECT) == ' CLUSTER BY ("DAY", "two words") DATA_RETENTION_TIME_IN_DAYS = 3'
    assert clauses(TableOptions(), DIALECT) == ""


@pytest.mark.parametrize(
    ("options", "usual", "expected"), [({}, True, True), ({}, False, False), ({"transient": False}, True, False)]
)
def test_a_model_decides_before_the_profile(options: dict[str, Any], usual: bool, expected: bool) -> None:
    assert is_transient(TableOptions(options=options), usual) is expected


def test_exactly_the_named_roles_have_a_right_afterwards() -> None:
    standing = [("SELECT", "OLD"), ("SELECT", "READER"), ("INSERT", "WRITER"), ("OWNERSHIP", "BUILDER")]
    options = TableOptions(grants={"select": ("reader", "new")})
    assert list(right_statements(options, standing, '"T"', DIALECT, "TABLE")) == [
        'REVOKE SELECT ON TABLE "T" FROM ROLE "OLD"',
        'GRANT SELECT ON TABLE "T" TO ROLE "NEW"',
    ]
    nobody = TableOptions(grants={"select": ()})
    assert len(list(right_statements(nobody, standing, '"T"', DIALECT, "VIEW"))) == 2
