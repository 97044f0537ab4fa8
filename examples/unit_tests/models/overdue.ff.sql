{{ config(cache=false) }}
-- What each customer has owed for too long, as of today. The day is another one tomorrow, so it is always built.
select
    customer,
    count(*) as invoices,
    cast(sum(cents) as bigint) as cents,
    max(current_date - issued) as days
from {{ ref('invoices') }}
where not paid and current_date - issued > {{ var('patience') }}
group by customer
