{{ config(materialized='ephemeral') }}

-- An ephemeral model may stand on another one; a query that refers to both gets each of them once.
select
    customer,
    count(*) as payments,
    cast(sum(cents) as bigint) as paid_cents
from {{ ref('paid') }}
group by customer
