-- Where NULLs stand in an order differs between engines; it is always said.
select
    order_id,
    row_number() over (order by paid_at desc nulls last, order_id) as paid_rank,
    rank() over (order by placed_at) as placed_rank,
    lag(order_id) over (partition by customer_id order by placed_at) as previous_order,
    first_value(state) over (partition by customer_id order by placed_at, order_id) as first_state,
    cast(sum(amount) over (partition by customer_id order by placed_at rows unbounded preceding) as decimal(20, 2))
        as running_amount,
    cast(count(*) over (partition by customer_id) as integer) as orders_of_customer
from {{ ref('stg_orders') }}
