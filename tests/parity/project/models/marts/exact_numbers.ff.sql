{{ config(schema='marts', alias='numbers_exactly') }}

select
    id,
    whole,
    wide,
    tiny,
    exact,
    ratio,
    zero_led,
    mixed,
    cast(wide as varchar) as wide_text,
    cast(cast(zero_led as integer) as varchar) as zero_led_number,
    whole = 9007199254740992 as is_rounded
from {{ ref('numbers') }}
