"""How late each carrier's flights leave: percentiles, which are awkward to write in portable SQL."""

from __future__ import annotations

import pandas as pd

from flowforge import model

LEVELS = {0.5: "p50", 0.9: "p90", 0.99: "p99"}


@model(
    name="mart_carrier_percentiles",
    deps=["int_flights"],
    requires={"int_flights": {"carrier", "dep_delay"}},
    tags=["mart", "delays"],
)
def carrier_percentiles(flights: pd.DataFrame) -> pd.DataFrame:
    """One row per carrier; minutes of departure delay, cancelled flights left out."""
    departed = flights.dropna(subset=["dep_delay"])
    levels = departed.groupby("carrier")["dep_delay"].quantile(list(LEVELS)).unstack()
    return levels.rename(columns=LEVELS).round(1).reset_index().sort_values("carrier")
