"""A model without inputs: its function takes no parameter."""

from __future__ import annotations

import pandas as pd

from flowforge import model


@model(name="limits")
def limits() -> pd.DataFrame:
    """The warmest temperature that is believed, by place."""
    return pd.DataFrame({"place": ["cellar", "roof", "yard"], "max_celsius": [20.0, 30.0, 30.0]})
