select event.id, event.kind, months.fiscal_month, orders.customer
from {{ ref('events') }} as event
join {{ ref('fiscal_months') }} as months on months.month = extract(month from event.at)
left join {{ ref('legacy_orders') }} as orders on orders.order_id = event.order_id
