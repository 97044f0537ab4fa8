{{ config(materialized='view', tags=['report']) }}
-- The highest and the lowest of all years, with the year in which it was.
select s.place, max(a.warmest) as warmest, arg_max(a.year, a.warmest) as warmest_in, min(a.coldest) as coldest
from {{ source('weather', 'archive') }} as a
join {{ source('weather', 'stations') }} as s using (station)
group by s.place
