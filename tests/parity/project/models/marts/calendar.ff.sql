-- Parts of a date, steps between dates and cuts have a type of their own on each engine; the casts settle it.
select
    order_id,
    placed_at,
    paid_at,
    placed_on,
    cast(extract(year from placed_on) as integer) as placed_year,
    cast(extract(month from placed_on) as integer) as placed_month,
    cast(extract(hour from placed_at) as integer) as placed_hour,
    cast(date_trunc('month', placed_on) as date) as placed_month_start,
    cast(placed_on - cast('2024-01-01' as date) as integer) as days_into_2024,
    cast(placed_on + interval '1 month' as date) as a_month_later,
    placed_at + interval '90 minutes' as later,
    timestamp '2024-03-31 02:30:00' > placed_at as before_the_gap
from {{ ref('stg_orders') }}
