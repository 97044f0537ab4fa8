{{ config(updated_at='updated_at') }}
select order_id, {{ euros('cents') }} as euros, updated_at
from {{ source('shop', 'deliveries') }}
