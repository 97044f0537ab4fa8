{{ config(indexes=[{'columns': 'customer', 'unique': true}, ['payments', 'customer']]) }}
select customer, count(*) as payments
from {{ ref('payments') }}
group by customer
