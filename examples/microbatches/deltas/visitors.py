"""What is new since the last build, as a function."""


def of_the_newest_visits(visits):
    """The visitors of the three newest visits, with the time at which they were last seen."""
    newest = visits.sort_values("seen_at").tail(3)
    return newest.groupby("visitor", as_index=False).agg(last_seen=("seen_at", "max"))
