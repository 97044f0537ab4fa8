{{ config(materialized='ephemeral', tags=['intermediate']) }}

-- A flight that left and has no air time landed somewhere else, or its arrival was never reported.
select
    flight_key,
    flight_date,
    flight_year,
    flight_month,
    dep_hour,
    dep_hour_utc,
    carrier,
    tailnum,
    origin,
    dest,
    dep_delay,
    arr_delay,
    air_time,
    distance_miles,
    case
        when dep_time is null then 'cancelled'
        when air_time is null then 'diverted'
        else 'completed'
    end as flight_status,
    case when dep_delay >= {{ var('late_minutes') }} then 1 else 0 end as is_late_departure
from {{ ref('stg_flights') }}
