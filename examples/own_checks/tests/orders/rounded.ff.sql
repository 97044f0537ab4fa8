{{ config(type='rounded', params=['digits', {'slack': 0.000001}]) }}
select {{ column }}
from {{ table }}
where abs({{ column }} - round({{ column }}, {{ params.digits }})) > {{ params.slack }}
{% if where %} and ({{ where }}) {% endif %}
