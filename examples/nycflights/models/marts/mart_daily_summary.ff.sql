{{ config(tags=['mart']) }}

select
    flight_date,
    count(*) as flights,
    cast(sum(case when flight_status = 'cancelled' then 1 else 0 end) as bigint) as cancelled,
    cast(sum(is_late_departure) as bigint) as late_departures,
    cast(sum(dep_delay) as bigint) as total_dep_delay,
    cast(avg(dep_delay) as decimal(8, 2)) as avg_dep_delay,
    cast(sum(case when flight_status = 'completed' then distance_miles else 0 end) as bigint) as miles_flown
from {{ ref('int_flights') }}
group by flight_date
