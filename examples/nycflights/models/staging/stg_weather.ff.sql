{{ config(materialized='view', tags=['staging']) }}

-- Measurements become decimals: their sums are exact, so an average never depends on the order of the rows.
select
    origin,
    time_hour as observed_hour_utc,
    cast(concat(year, '-', month, '-', day) as date) as observed_date,
    cast(temp as decimal(9, 2)) as temperature_f,
    cast(humid as decimal(9, 2)) as humidity_pct,
    -- One reading says 1,048 mph; the strongest true wind of the year is below 50.
    cast(case when wind_speed < 200 then wind_speed end as decimal(9, 5)) as wind_mph,
    cast(precip as decimal(9, 2)) as precipitation_in,
    cast(visib as decimal(9, 2)) as visibility_mi,
    cast(pressure as decimal(9, 2)) as pressure_mb
from {{ source('raw', 'weather') }}
