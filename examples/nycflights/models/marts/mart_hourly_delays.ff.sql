{{ config(tags=['mart', 'delays']) }}

select
    dep_hour,
    count(*) as flights,
    cast(avg(dep_delay) as decimal(8, 2)) as avg_dep_delay,
    cast(avg(case when dep_delay is not null then 100.0 * is_late_departure end) as decimal(5, 2)) as late_pct
from {{ ref('int_flights') }}
group by dep_hour
