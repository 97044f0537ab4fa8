-- QUALIFY is a word that PostgreSQL lacks, and the order of NULLs is another one there.
select
    order_id,
    customer,
    cast(cents / 100 as decimal(9, 2)) as euros,
    strftime(ordered_at, '%Y-%m') as month
from {{ ref('orders') }}
qualify row_number() over (partition by customer order by cents desc, order_id) = 1
