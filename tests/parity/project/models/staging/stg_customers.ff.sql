{{ config(materialized='view', tags=['staging']) }}

select
    customer_id,
    code,
    name,
    trim(name) as trimmed,
    upper(code) as code_upper,
    replace(name, '''', '’') as name_typographic,
    char_length(name) as name_length,
    name || ' #' || code as label,
    referred_by,
    joined,
    vip,
    note
from {{ ref('customers') }}
