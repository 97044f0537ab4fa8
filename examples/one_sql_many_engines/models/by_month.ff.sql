-- The slash of DuckDB keeps the fraction of whole numbers, that of PostgreSQL cuts it off.
{{ config(materialized='view') }}
select
    cast(date_trunc('month', ordered_at) as date) as month,
    count(*) as orders,
    cast(sum(cents) / count(*) as decimal(9, 2)) as mean_cents,
    cast(max(extract(second from ordered_at)) as integer) as last_second,
    string_agg(distinct customer, ', ' order by customer) as customers
from {{ ref('orders') }}
group by 1
