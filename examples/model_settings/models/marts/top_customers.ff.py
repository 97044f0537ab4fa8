from flowforge import model


@model(deps=["revenue"], frame="arrow", indexes=["customer"])
def top_customers(revenue):
    return revenue.sort_by([("cents", "descending")]).slice(0, 1)
