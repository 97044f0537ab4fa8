-- BigQuery: GREATEST is NULL when one of its values is, and a date stays a date when days are added.
select
  customer,
  countif(cents > 300) as large_orders,
  greatest(max(cents), min(cents)) as largest,
  cast(date_diff(max(date(ordered_at)), min(date(ordered_at)), day) as int64) as days,
  date_add(max(date(ordered_at)), interval 14 day) as reminded_on,
  if(count(cents) = count(*), 'complete', 'open') as state
from {{ ref('orders') }}
group by customer
