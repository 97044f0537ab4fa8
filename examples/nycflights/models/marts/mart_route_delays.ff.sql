{{ config(tags=['mart', 'delays']) }}

select
    concat(origin, '-', dest) as route,
    origin,
    dest,
    count(*) as flights,
    count(distinct carrier) as carriers,
    min(distance_miles) as distance_miles,
    cast(avg(dep_delay) as decimal(8, 2)) as avg_dep_delay,
    cast(avg(arr_delay) as decimal(8, 2)) as avg_arr_delay,
    cast(avg(air_time) as decimal(8, 2)) as avg_air_time
from {{ ref('int_flights') }}
group by origin, dest
