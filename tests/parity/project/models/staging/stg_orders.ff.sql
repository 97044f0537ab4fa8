{{ config(materialized='view', tags=['staging']) }}

select
    order_id,
    customer_id,
    placed_at,
    paid_at,
    cast(placed_at as date) as placed_on,
    cents,
    amount,
    state
from {{ ref('orders') }}
