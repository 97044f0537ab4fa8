-- A slash between whole numbers cuts on some engines and does not on others. Say which of the two is meant.
select
    order_id,
    cents,
    cast((cents - mod(cents, 7)) / 7 as bigint) as whole_sevenths,
    mod(cents, 7) as rest,
    cast(cents as double precision) / 7 as sevenths,
    round(cast(amount as decimal(18, 2)), 1) as rounded,
    cast(amount as integer) as nearest,
    abs(cents) as absolute,
    nullif(cents, 1) as not_one,
    cast(cast(cents as decimal(18, 2)) * cast(0.175 as decimal(5, 3)) as decimal(20, 5)) as tax
from {{ ref('stg_orders') }}
where order_id <> 6
