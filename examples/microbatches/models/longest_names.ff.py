from flowforge import model


@model(
    deps=["visits"],
    frame="arrow",
    materialized="incremental",
    incremental={"strategy": "microbatch", "begin": "2023-06-01", "batch_size": "year", "lookback": 0},
    event_time="seen_at",
)
def longest_names(visits):
    """The visit with the longest name of a page, of each year; the function is called once a window."""
    import pyarrow.compute as pc

    measured = visits.append_column("length", pc.utf8_length(visits["page"]))
    longest = measured.sort_by([("length", "descending"), ("visit_id", "ascending")])
    return longest.slice(0, 1).select(["visit_id", "seen_at"])
