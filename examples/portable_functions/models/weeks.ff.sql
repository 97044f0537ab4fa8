{{ config(dialect='duckdb') }}
-- written in DuckDB's SQL and translated for other engines; portable functions may be used all the same
select
  {{ ff_text(ff_date_trunc('ordered_at', 'week'), 'date') }} as monday,
  count(*) filter (where is_paid) as paid
from {{ ref('orders') }}
where ordered_at is not null
group by 1
