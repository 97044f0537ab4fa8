{{ config(materialized='view', tags=['staging']) }}

-- A view over a view, and one that hands another view's columns on.
select *
from {{ ref('stg_orders') }}
where state = 'paid'
