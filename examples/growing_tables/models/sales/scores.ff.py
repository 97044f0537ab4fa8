from flowforge import model


@model(
    deps=["deliveries"],
    frame="arrow",
    incremental_strategy="delete+insert",
    unique_key="order_id",
    updated_at="updated_at",
)
def scores(deliveries):
    """A score for each order; FlowForge keeps the rows that are new."""
    import pyarrow.compute as pc

    points = pc.divide(deliveries["cents"], 100)
    return deliveries.select(["order_id", "updated_at"]).append_column("points", points)
