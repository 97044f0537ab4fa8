-- What each invoice comes to with VAT, what was paid of it, and what is open.
with paid as (
    select invoice, sum(cents) as cents from {{ ref('payments') }} group by invoice
)
select
    i.invoice,
    i.customer,
    i.issued,
    cast(round(i.net_cents * (1 + {{ var('vat') }})) as bigint) as gross_cents,
    coalesce(p.cents, 0) as paid_cents,
    cast(round(i.net_cents * (1 + {{ var('vat') }})) as bigint) - coalesce(p.cents, 0) as open_cents
from {{ ref('invoices') }} i
left join paid p on p.invoice = i.invoice
