select
    order_id,
    count(*) as payments,
    sum(case when state = 'paid' then cents else 0 end) as paid_cents,
    max(paid_on) as last_paid_on
from {{ ref('payments_clean') }}
group by order_id
