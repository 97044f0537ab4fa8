{{ config(
    materialized='incremental',
    incremental_strategy='microbatch',
    event_time='month',
    begin='2023-12-01',
    batch_size='month'
) }}
-- Only the rows of the month that is built are read: the seed has an event_time.
select
    cast('{{ batch.event_time_start }}' as date) as month,
    page,
    count(*) as visits,
    count(distinct visitor) as visitors
from {{ ref('visits') }}
group by page
