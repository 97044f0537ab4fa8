"""Arrow in, Arrow out: nothing is converted on the way."""

from __future__ import annotations

import pyarrow as pa

from flowforge import model


@model(
    name="spent_arrow",
    deps=["order_lines"],
    requires={"order_lines": {"customer_name", "cents"}},
    frame="arrow",
)
def spent(lines: pa.Table) -> pa.Table:
    """Cents by name of the customer; orders of nobody are kept under NULL."""
    summed = lines.group_by("customer_name").aggregate([("cents", "sum"), ("amount", "max")])
    return summed.rename_columns(["customer_name", "cents", "largest"])
