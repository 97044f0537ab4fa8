"""Several inputs, both ways to take them, and two models in one file."""

from __future__ import annotations

import pandas as pd

from flowforge import model


@model(
    name="placed_readings",
    deps=["readings_clean", "sensors"],
    requires={"readings_clean": {"sensor", "celsius"}, "sensors": {"sensor", "place"}},
)
def place(readings: pd.DataFrame, sensors: pd.DataFrame) -> pd.DataFrame:
    """As many parameters as dependencies: the frames come in the order of ``deps``."""
    return readings.merge(sensors, on="sensor", how="left", validate="many_to_one")


@model(name="sensor_report", deps=["sensors", "placed_readings", "limits"])
def report(inputs: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One parameter for several dependencies: a dict of frames, by the name of the relation."""
    judged = inputs["placed_readings"].merge(inputs["limits"], on="place", how="left")
    judged["too_warm"] = judged["celsius"] > judged["max_celsius"]
    counted = judged.groupby("sensor").agg(readings=("celsius", "size"), too_warm=("too_warm", "sum"))
    whole = inputs["sensors"].merge(counted, left_on="sensor", right_index=True, how="left")
    return whole.fillna({"readings": 0, "too_warm": 0}).astype({"readings": "int64", "too_warm": "int64"})
