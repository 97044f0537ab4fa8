-- who moved, from where to where, and when
select
    old.id,
    old.name,
    old.city as from_city,
    new.city as to_city,
    new._ff_valid_from as moved_at
from {{ ref('customer_history') }} as old
join {{ ref('customer_history') }} as new on new.id = old.id and new._ff_valid_from = old._ff_valid_to
where new.city <> old.city
