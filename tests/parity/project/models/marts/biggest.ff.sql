{{ config(materialized='view') }}

select
    r.customer_id,
    r.revenue,
    l.orders_of_customer
from {{ ref('revenue') }} as r
inner join {{ ref('windows') }} as l
    on l.order_id = r.customer_id
where r.revenue > 0
