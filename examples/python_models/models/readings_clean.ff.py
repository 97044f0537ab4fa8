"""pandas, one input: the function's one parameter is that frame."""

from __future__ import annotations

import pandas as pd

from flowforge import model


@model(name="readings_clean", deps=["readings"], requires={"readings": {"sensor", "taken_at", "celsius"}})
def clean(readings: pd.DataFrame) -> pd.DataFrame:
    """Readings that have a value, with the hour in which they were taken."""
    measured = readings.dropna(subset=["celsius"])
    return measured.assign(slot=measured["taken_at"].dt.floor("h"))
