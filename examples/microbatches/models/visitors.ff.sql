{{ config(
    materialized='incremental',
    unique_key='visitor',
    delta_python='deltas.visitors:of_the_newest_visits'
) }}
-- The first build reads all visits, later ones only what the function in deltas/visitors.py thinks is new.
select visitor, max(seen_at) as last_seen
from {{ ref('visits') }}
group by visitor
