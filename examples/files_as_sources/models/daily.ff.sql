{{ config(tags=['report']) }}
select r.day, s.place, avg(r.celsius) as celsius, count(*) as readings
from {{ source('weather', 'readings') }} as r
join {{ source('weather', 'stations') }} as s using (station)
group by r.day, s.place
