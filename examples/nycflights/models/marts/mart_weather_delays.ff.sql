{{ config(tags=['mart', 'delays', 'weather']) }}

select
    weather_class,
    count(*) as flights,
    cast(sum(case when flight_status = 'cancelled' then 1 else 0 end) as bigint) as cancelled,
    cast(avg(dep_delay) as decimal(8, 2)) as avg_dep_delay,
    cast(avg(wind_mph) as decimal(8, 2)) as avg_wind_mph,
    cast(avg(visibility_mi) as decimal(8, 2)) as avg_visibility_mi
from {{ ref('int_departure_weather') }}
group by weather_class
