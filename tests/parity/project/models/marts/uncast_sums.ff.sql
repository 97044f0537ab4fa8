-- Without casts the values are the same, the types are not.
select
    state,
    count(*) as order_count,
    sum(cents) as cents_sum,
    sum(amount) as amount_sum,
    sum(case when amount > 0 then 1 else 0 end) as positive_count
from {{ ref('stg_orders') }}
group by state
