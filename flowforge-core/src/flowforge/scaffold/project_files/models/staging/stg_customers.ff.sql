{{ config(materialized='view', tags=['staging']) }}

select
    customer_id,
    name,
    lower(email) as email
from {{ source('raw', 'customers') }}
