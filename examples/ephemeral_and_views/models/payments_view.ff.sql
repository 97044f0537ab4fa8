{{ config(materialized='view') }}

select
    payment_id,
    customer,
    cast(cents as bigint) as cents,
    state
from {{ ref('payments') }}
