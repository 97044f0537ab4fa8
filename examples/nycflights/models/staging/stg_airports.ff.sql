{{ config(materialized='view', tags=['staging']) }}

select
    faa as airport_code,
    name as airport_name,
    lat as latitude,
    lon as longitude,
    cast(alt as integer) as altitude_feet,
    tzone as time_zone
from {{ source('raw', 'airports') }}
