{{ config(materialized='view') }}

select customer_id, name from {{ ref('flags_pandas') }} where spent_a_lot
