with everybody as (
    select customer_id from {{ ref('stg_customers') }}
),

buyers as (
    select customer_id from {{ ref('stg_paid_orders') }}
),

without_orders as (
    select customer_id from everybody
    except
    select customer_id from {{ ref('stg_orders') }}
),

both_kinds as (
    select customer_id from buyers
    intersect
    select customer_id from {{ ref('stg_orders') }} where state = 'open'
)

select 'everybody' as label, count(*) as n from everybody
union all
select 'buyers', count(*) from (select customer_id from buyers union select customer_id from buyers) as distinct_buyers
union all
select 'without orders', count(*) from without_orders
union all
select 'paid and open', count(*) from both_kinds
