{{ config(materialized='ephemeral') }}

select
    order_id,
    customer_id,
    cents,
    amount,
    case state when 'paid' then 1 when 'refund' then -1 else 0 end as direction
from {{ ref('stg_orders') }}
where state in ('paid', 'refund')
