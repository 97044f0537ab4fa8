{{ config(tags=['mart']) }}

-- Four airports in the Caribbean are flown to and stand in no directory; a left join would lose their flights.
select
    coalesce(a.airport_code, t.airport_code) as airport_code,
    a.airport_name,
    a.latitude,
    a.longitude,
    a.time_zone,
    coalesce(t.departures, 0) as departures,
    coalesce(t.arrivals, 0) as arrivals,
    case when a.airport_code is null then 0 else 1 end as is_listed
from {{ ref('stg_airports') }} as a
full outer join {{ ref('int_airport_traffic') }} as t
    on a.airport_code = t.airport_code
