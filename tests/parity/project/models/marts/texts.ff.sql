select
    customer_id,
    note,
    note is null as note_is_null,
    note = '' as note_is_empty,
    coalesce(note, 'nothing') as note_or_nothing,
    substring(name from 1 for 2) as first_two,
    position('o' in lower(name)) as place_of_o,
    lower(name) like '%o%' as has_o,
    cast(customer_id as varchar) || '/' || coalesce(cast(vip as varchar), '?') as key_text,
    concat(name, note) as name_and_note,
    'it''s a \n backslash' as literal_text
from {{ ref('stg_customers') }}
