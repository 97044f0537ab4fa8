{{ config(tags=['intermediate']) }}

-- Flights that can be counted for an aircraft. Those whose tail number is in no registry are put aside by a check.
select
    flight_key,
    flight_date,
    carrier,
    tailnum,
    distance_miles
from {{ ref('stg_flights') }}
where tailnum is not null
