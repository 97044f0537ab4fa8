{{ config(tags=['mart', 'delays']) }}

select
    carrier,
    carrier_name,
    count(*) as flights,
    count(dep_delay) as departed,
    cast(avg(dep_delay) as decimal(8, 2)) as avg_dep_delay,
    cast(avg(arr_delay) as decimal(8, 2)) as avg_arr_delay,
    max(dep_delay) as max_dep_delay,
    cast(avg(case when dep_delay is not null then 100.0 * is_late_departure end) as decimal(5, 2)) as late_pct
from {{ ref('int_flights') }}
group by carrier, carrier_name
