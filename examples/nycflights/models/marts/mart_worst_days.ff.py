"""The thirty days with the most cancelled flights, and the weather on them."""

from __future__ import annotations

import pandas as pd

from flowforge import model

DAYS = 30


@model(
    name="mart_worst_days",
    deps=["mart_daily_summary", "stg_weather"],
    requires={
        "mart_daily_summary": {"flight_date", "flights", "cancelled"},
        "stg_weather": {"observed_date", "wind_mph", "precipitation_in", "visibility_mi"},
    },
    tags=["mart", "weather"],
)
def worst_days(daily: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """One row per day; equal days in the order of the calendar, so that the thirty are always the same."""
    columns = ["wind_mph", "precipitation_in", "visibility_mi"]
    measured = weather[["observed_date"]].join(weather[columns].astype("float64"))
    by_day = measured.groupby("observed_date").agg(
        max_wind_mph=("wind_mph", "max"),
        max_precipitation_in=("precipitation_in", "max"),
        min_visibility_mi=("visibility_mi", "min"),
    )
    worst = daily.sort_values(["cancelled", "flight_date"], ascending=[False, True]).head(DAYS)
    worst = worst[["flight_date", "flights", "cancelled"]].merge(
        by_day, left_on="flight_date", right_index=True, how="left", validate="one_to_one"
    )
    return worst.assign(day_rank=range(1, len(worst) + 1))
