{{ config(tags=['mart', 'delays', 'fleet']) }}

with aged as (
    select
        tailnum,
        dep_delay,
        seats,
        case
            when plane_age_years is null then 'unknown'
            when plane_age_years < 5 then '00-04 years'
            when plane_age_years < 10 then '05-09 years'
            when plane_age_years < 15 then '10-14 years'
            when plane_age_years < 20 then '15-19 years'
            else '20 years and more'
        end as age_group
    from {{ ref('int_flights') }}
)

select
    age_group,
    count(*) as flights,
    count(distinct tailnum) as planes,
    cast(avg(dep_delay) as decimal(8, 2)) as avg_dep_delay,
    cast(avg(seats) as decimal(8, 2)) as avg_seats
from aged
group by age_group
