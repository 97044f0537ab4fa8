-- what cannot be read is NULL, or the default; on every engine the same
select
  {{ ff_hash('id', 'ordered') }} as order_key,
  {{ ff_safe_cast('id', 'integer') }} as order_id,
  {{ ff_safe_cast('ordered', 'timestamp') }} as ordered_at,
  channel,
  {{ money('amount') }} as amount,
  {{ ff_safe_cast('paid', 'boolean', default=false) }} as is_paid
from {{ ref('orders_as_text') }}
