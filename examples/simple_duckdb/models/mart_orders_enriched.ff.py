"""Orders next to the user who placed them."""

from __future__ import annotations

import pandas as pd

from flowforge import model


@model(
    name="mart_orders_enriched",
    deps=["orders.ff", "users_enriched"],
    requires={
        "orders": {"order_id", "user_id", "amount"},
        "users_enriched": {"id", "email", "is_gmail"},
    },
)
def enrich_orders(orders: pd.DataFrame, users: pd.DataFrame) -> pd.DataFrame:
    """One row per order, in the order of ``deps``: first the orders, then the users."""
    joined = orders.merge(users, left_on="user_id", right_on="id", how="left", validate="many_to_one")
    joined["valid_amt"] = joined["amount"] > 0
    return joined[["order_id", "user_id", "email", "is_gmail", "amount", "valid_amt"]]
