create or replace table users as
select
    id,
    lower(email) as email
from {{ source('crm', 'users') }};
