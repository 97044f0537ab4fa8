-- A moment becomes what a clock showed somewhere, and what a clock showed becomes a moment.
select
    order_id,
    paid_at at time zone 'UTC' as paid_at_utc,
    paid_at at time zone 'Europe/Berlin' as paid_at_berlin,
    cast(paid_at at time zone 'UTC' as date) as paid_on_utc,
    placed_at at time zone 'Europe/Berlin' as placed_instant
from {{ ref('stg_orders') }}
