-- Counts and sums have the types of the engine; the contract says which ones readers get.
select
    payment_id,
    order_id,
    state,
    cents,
    paid_on
from {{ ref('payments') }}
