select
    o.order_id,
    o.customer_id,
    c.name as customer_name,
    coalesce(c.code, 'none') as code,
    o.cents,
    o.amount,
    case
        when o.cents >= {{ var('large_cents') }} then 'large'
        when o.cents > 0 then 'small'
        else 'refund'
    end as size_class,
    c.vip is true as is_vip
from {{ ref('stg_orders') }} as o
left join {{ ref('stg_customers') }} as c
    on o.customer_id = c.customer_id
