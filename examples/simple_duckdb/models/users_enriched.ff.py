"""Users with a flag for addresses at Gmail."""

from __future__ import annotations

import pandas as pd

from flowforge import model


@model(name="users_enriched", deps=["users.ff"], requires={"users": {"id", "email"}})
def enrich(users: pd.DataFrame) -> pd.DataFrame:
    """One row per user; ``is_gmail`` is true when the address ends in ``@gmail.com``."""
    return users.assign(is_gmail=users["email"].str.endswith("@gmail.com"))
