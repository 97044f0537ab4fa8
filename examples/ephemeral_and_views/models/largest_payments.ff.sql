{{ config(materialized='view') }}

-- A view over ephemeral models: what it says is stored in the view's own text.
select
    paid.payment_id,
    paid.customer,
    paid.cents,
    totals.paid_cents
from {{ ref('paid') }} as paid
inner join {{ ref('paid_by_customer') }} as totals
    on paid.customer = totals.customer
where paid.cents * 2 > totals.paid_cents
