{{ config(materialized='ephemeral') }}

select
    payment_id,
    customer,
    cents
from {{ ref('payments_view') }}
where state = 'paid'
