-- A self join and a recursive query.
with recursive chain as (
    select customer_id, 0 as depth
    from {{ ref('stg_customers') }}
    where referred_by is null
    union all
    select c.customer_id, chain.depth + 1
    from {{ ref('stg_customers') }} as c
    inner join chain on c.referred_by = chain.customer_id
)

select
    c.customer_id,
    c.name,
    parent.name as referred_by_name,
    chain.depth,
    exists (select 1 from {{ ref('stg_orders') }} as o where o.customer_id = c.customer_id) as has_orders
from {{ ref('stg_customers') }} as c
inner join chain on c.customer_id = chain.customer_id
left join {{ ref('stg_customers') }} as parent
    on c.referred_by = parent.customer_id
