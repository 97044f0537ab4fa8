{{ config(materialized='snapshot', strategy='timestamp', unique_key='id', updated_at='changed_at') }}
select id, name, city, changed_at
from {{ ref('customers') }}
