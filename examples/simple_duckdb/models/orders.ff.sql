create or replace table orders as
select
    order_id,
    user_id,
    cast(amount as double precision) as amount
from {{ source('crm', 'orders') }};
