{{ config(materialized='ephemeral', tags=['intermediate']) }}

select
    airport_code,
    cast(sum(departures) as bigint) as departures,
    cast(sum(arrivals) as bigint) as arrivals
from (
    select origin as airport_code, 1 as departures, 0 as arrivals from {{ ref('int_flights') }}
    union all
    select dest as airport_code, 0 as departures, 1 as arrivals from {{ ref('int_flights') }}
) as movements
group by airport_code
