-- A table (the default) with a WITH of its own; the ephemeral models are put in front of it.
with customers as (
    select distinct customer from {{ ref('payments_view') }}
)

select
    customers.customer,
    coalesce(totals.payments, 0) as payments,
    coalesce(totals.paid_cents, 0) as paid_cents
from customers
left join {{ ref('paid_by_customer') }} as totals
    on customers.customer = totals.customer
