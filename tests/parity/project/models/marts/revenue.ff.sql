{{ config(schema='marts') }}

-- Sums and averages are wider than what they add up, each engine in its own way: the cast says what is meant.
select
    c.customer_id,
    count(*) as order_count,
    count(distinct s.direction) as directions,
    cast(sum(s.amount * s.direction) as decimal(20, 2)) as revenue,
    cast(sum(s.cents) as bigint) as total_cents,
    cast(avg(s.cents) as decimal(20, 4)) as avg_cents,
    min(s.amount) as smallest,
    max(s.amount) as largest
from {{ ref('eph_settled') }} as s
inner join {{ ref('stg_customers') }} as c
    on s.customer_id = c.customer_id
group by c.customer_id
having count(*) >= 1
