"""The length of each route over the globe next to the length that the flights report, with Arrow only."""

from __future__ import annotations

import math

import pyarrow as pa
import pyarrow.compute as pc

from flowforge import model

EARTH_RADIUS_MILES = 3958.8


def radians(degrees: pa.ChunkedArray) -> pa.ChunkedArray:
    """Degrees as radians."""
    return pc.multiply(degrees, math.pi / 180)


def great_circle(
    lat1: pa.ChunkedArray, lon1: pa.ChunkedArray, lat2: pa.ChunkedArray, lon2: pa.ChunkedArray
) -> pa.Array:
    """Shortest way over the globe in miles (haversine); NULL where a position is unknown."""
    north = pc.power(pc.sin(pc.divide(pc.subtract(radians(lat2), radians(lat1)), 2)), 2)
    east = pc.power(pc.sin(pc.divide(pc.subtract(radians(lon2), radians(lon1)), 2)), 2)
    shrink = pc.multiply(pc.cos(radians(lat1)), pc.cos(radians(lat2)))
    return pc.multiply(2 * EARTH_RADIUS_MILES, pc.asin(pc.sqrt(pc.add(north, pc.multiply(shrink, east)))))


@model(
    name="mart_route_distances",
    deps=["mart_route_delays", "stg_airports"],
    requires={
        "mart_route_delays": {"route", "origin", "dest", "distance_miles"},
        "stg_airports": {"airport_code", "latitude", "longitude"},
    },
    frame="arrow",
    tags=["mart"],
)
def route_distances(routes: pa.Table, airports: pa.Table) -> pa.Table:
    """One row per route; positions are unknown for four airports, so their distance is NULL."""
    places = airports.select(["airport_code", "latitude", "longitude"])
    start = places.rename_columns(["origin", "lat1", "lon1"])
    end = places.rename_columns(["dest", "lat2", "lon2"])
    joined = (
        routes.select(["route", "origin", "dest", "distance_miles"])
        .join(start, keys="origin", join_type="left outer")
        .join(end, keys="dest", join_type="left outer")
        .sort_by("route")
    )
    miles = great_circle(joined["lat1"], joined["lon1"], joined["lat2"], joined["lon2"])
    return pa.table(
        {
            "route": joined["route"],
            "reported_miles": joined["distance_miles"],
            "great_circle_miles": pc.round(miles, 1),
            "difference_miles": pc.round(pc.subtract(joined["distance_miles"], miles), 1),
        }
    )
