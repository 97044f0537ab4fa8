{% macro money(column) -%}
{{ ff_safe_cast(column, 'numeric(10, 2)', default=0) }}
{%- endmacro %}
