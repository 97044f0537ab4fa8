{{ config(incremental_strategy='insert_overwrite', partition_by='day') }}
select day, count(*) as orders, sum({{ euros('cents') }}) as euros
from {{ source('shop', 'deliveries') }}
{% if is_incremental() %}
where day >= (select max(day) from {{ this }})
{% endif %}
group by day
