{{ config(unique_key='order_id', updated_at='updated_at') }}
select order_id, customer, {{ euros('cents') }} as euros, day, updated_at
from {{ source('shop', 'deliveries') }}
