{{ config(snapshot={
    'strategy': 'check',
    'unique_key': ['shop', 'item'],
    'check_cols': ['cents'],
    'hard_deletes': 'new_record',
}) }}
select shop, item, cents
from {{ ref('prices') }}
