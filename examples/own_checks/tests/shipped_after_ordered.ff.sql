{{ config(tags=['nightly'], description='Nothing is shipped before it is ordered.') }}
select s.order_id, s.shipped_at, o.ordered_at
from {{ ref('shipments') }} s
join {{ ref('orders') }} o on o.order_id = s.order_id
where s.shipped_at < o.ordered_at
