-- Orders, and when they were shipped, if they were.
select o.order_id, o.price, o.ordered_at, s.shipped_at
from {{ ref('orders') }} o
left join {{ ref('shipments') }} s on s.order_id = o.order_id
