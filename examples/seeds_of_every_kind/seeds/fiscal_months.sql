-- Twelve rows that nobody has to type: the months of the fiscal year.
{{ config(loaded_columns=true) }}
select month, (month - {{ var('fiscal_start') }} + 12) % 12 + 1 as fiscal_month
from (values (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12)) as months (month)
