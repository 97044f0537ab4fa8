{{ config(tags=['mart']) }}

select
    origin,
    flight_month,
    count(*) as flights,
    cast(sum(case when flight_status = 'cancelled' then 1 else 0 end) as bigint) as cancelled,
    cast(sum(case when flight_status = 'diverted' then 1 else 0 end) as bigint) as diverted,
    cast(avg(case when flight_status = 'cancelled' then 100.0 else 0.0 end) as decimal(5, 2)) as cancelled_pct
from {{ ref('int_flights') }}
group by origin, flight_month
