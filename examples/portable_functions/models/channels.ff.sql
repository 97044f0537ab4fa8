{# One column for each channel that there is: the template asks the database. #}
{% set channels = [] %}
{% if execute %}
  {% set channels = run_query('select distinct channel from ' ~ ref('orders') ~ ' where channel is not null order by channel').column('channel') %}
{% endif %}
select
  {% for channel in channels %}
  cast(sum(case when channel = {{ channel | sql_literal }} then amount else 0 end) as {{ ff_type('numeric(12, 2)') }}) as {{ channel }},
  {% endfor %}
  count(*) as orders
from {{ ref('orders') }}
