{{ config(materialized='view', tags=['staging']) }}

select
    order_id,
    customer_id,
    amount,
    ordered_at
from {{ source('raw', 'orders') }}
where amount >= {{ var('min_amount', 0) }}
