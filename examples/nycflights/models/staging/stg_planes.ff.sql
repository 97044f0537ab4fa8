{{ config(materialized='view', tags=['staging']) }}

select
    tailnum,
    cast(year as integer) as built_year,
    -- The registry knows one maker by several names.
    case
        when manufacturer like 'AIRBUS%' then 'AIRBUS'
        when manufacturer like 'BOMBARDIER%' then 'BOMBARDIER'
        when manufacturer like 'CANADAIR%' then 'BOMBARDIER'
        when manufacturer like 'EMBRAER%' then 'EMBRAER'
        when manufacturer like 'MCDONNELL DOUGLAS%' then 'MCDONNELL DOUGLAS'
        else manufacturer
    end as manufacturer,
    model,
    cast(engines as integer) as engines,
    cast(seats as integer) as seats,
    engine as engine_type
from {{ source('raw', 'planes') }}
