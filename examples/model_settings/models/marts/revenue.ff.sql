{{ config(post_hook="comment on table {{ this }} is 'What came in, by customer.'") }}
select customer, sum(cents) as cents
from {{ ref('payments') }}
group by customer
