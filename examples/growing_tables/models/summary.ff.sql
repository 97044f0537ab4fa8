select
  (select count(*) from {{ ref('orders') }}) as orders,
  (select count(*) from {{ ref('order_log') }}) as versions,
  (select sum(euros) from {{ ref('orders') }}) as euros,
  (select sum(points) from {{ ref('scores') }}) as points
