-- The visits of one day. On the sixth day somebody loads only every other row.
select day, visit, visitor, seconds
from {{ ref('visit_log') }}
where day = {{ var('day') }} and ({{ var('day') }} <> 6 or visit % 2 = 0)
