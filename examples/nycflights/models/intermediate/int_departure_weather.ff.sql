{{ config(tags=['intermediate', 'weather']) }}

-- Joined by the moment, not by date and hour: on 3 November local time has the hour from 1 to 2 twice.
select
    f.flight_key,
    f.flight_date,
    f.origin,
    f.flight_status,
    f.dep_delay,
    f.is_late_departure,
    w.temperature_f,
    w.wind_mph,
    w.precipitation_in,
    w.visibility_mi,
    case
        when w.visibility_mi < 3 then 'low visibility'
        when w.precipitation_in > 0 then 'rain or snow'
        when w.wind_mph >= 20 then 'windy'
        when w.wind_mph is null then 'unknown'
        else 'calm'
    end as weather_class
from {{ ref('int_flight_status') }} as f
left join {{ ref('stg_weather') }} as w
    on
        f.origin = w.origin
        and f.dep_hour_utc = w.observed_hour_utc
