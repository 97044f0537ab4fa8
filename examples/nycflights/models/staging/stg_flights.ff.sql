{{ config(materialized='view', tags=['staging']) }}

select
    concat(year, '-', month, '-', day, ' ', carrier, ' ', flight, ' ', origin) as flight_key,
    cast(concat(year, '-', month, '-', day) as date) as flight_date,
    cast(year as integer) as flight_year,
    cast(month as integer) as flight_month,
    cast(hour as integer) as dep_hour,
    time_hour as dep_hour_utc,
    carrier,
    cast(flight as integer) as flight_number,
    tailnum,
    origin,
    dest,
    cast(dep_time as integer) as dep_time,
    cast(arr_time as integer) as arr_time,
    cast(dep_delay as integer) as dep_delay,
    cast(arr_delay as integer) as arr_delay,
    cast(air_time as integer) as air_time,
    cast(distance as integer) as distance_miles
from {{ source('raw', 'flights') }}
