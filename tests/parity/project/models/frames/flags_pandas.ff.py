"""Two pandas frames in, one out."""

from __future__ import annotations

import pandas as pd

from flowforge import model


@model(name="flags_pandas", deps=["spent_arrow", "stg_customers"])
def flags(spent: pd.DataFrame, customers: pd.DataFrame) -> pd.DataFrame:
    """One row a customer who has bought something."""
    joined = customers.merge(spent, left_on="name", right_on="customer_name", validate="one_to_one")
    joined["spent_a_lot"] = joined["cents"] > 1000
    return joined[["customer_id", "name", "joined", "cents", "largest", "spent_a_lot"]]
