"""Arrow instead of pandas: the function takes and returns Arrow tables."""

from __future__ import annotations

import pyarrow as pa

from flowforge import model


@model(name="by_hour", deps=["readings_clean"], frame="arrow")
def by_hour(readings: pa.Table) -> pa.Table:
    """Number of readings and the warmest one, by hour."""
    grouped = readings.group_by("slot").aggregate([("celsius", "count"), ("celsius", "max")])
    return grouped.rename_columns(["slot", "readings", "max_celsius"]).sort_by("slot")
