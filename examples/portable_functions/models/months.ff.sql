{% set month = ff_date_trunc('ordered_at', 'month') %}
select
  {{ ff_text(month, 'date') }} as month,
  {{ ff_text(ff_date_add(ff_date_add(month, 'month', 1), 'day', -1), 'date') }} as last_day,
  count(*) as orders,
  cast(sum(amount) as {{ ff_type('numeric(12, 2)') }}) as amount,
  {{ ff_bool_and('is_paid') }} as all_paid,
  {{ ff_string_agg(ff_concat('order_id', "':'", 'amount'), ', ', order_by='order_id') }} as listed,
  {{ ff_date_diff('min(ordered_at)', 'max(ordered_at)', 'week') }} as weeks
from {{ ref('orders') }}
where {{ ff_partition_filter(ff_safe_cast('ordered_at', 'date'), var('from'), var('to')) }}
  and {{ ff_partition_in('channel', var('channels') + [none]) }}
group by {{ month }}
