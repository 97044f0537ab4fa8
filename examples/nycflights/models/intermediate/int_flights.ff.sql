{{ config(tags=['intermediate']) }}

select
    f.flight_key,
    f.flight_date,
    f.flight_month,
    f.dep_hour,
    f.carrier,
    a.carrier_name,
    f.origin,
    f.dest,
    f.flight_status,
    f.is_late_departure,
    f.dep_delay,
    f.arr_delay,
    f.air_time,
    f.distance_miles,
    f.tailnum,
    p.manufacturer,
    p.seats,
    f.flight_year - p.built_year as plane_age_years
from {{ ref('int_flight_status') }} as f
left join {{ ref('stg_airlines') }} as a
    on f.carrier = a.carrier
left join {{ ref('stg_planes') }} as p
    on f.tailnum = p.tailnum
