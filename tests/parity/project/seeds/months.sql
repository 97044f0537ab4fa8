select cast(n as integer) as month, cast(name as varchar(10)) as name
from (values (1, 'January'), ({{ var('second_month', 2) }}, 'February')) as months (n, name)
