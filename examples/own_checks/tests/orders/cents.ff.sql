{{ config(type='cents', returns='condition') }}
{{ column }} <> round({{ column }}, 2)  -- more digits than money has
