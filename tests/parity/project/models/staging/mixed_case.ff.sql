-- Names typed without quotes: each engine stores them in its own case, and all of them find them again.
select
    Customer_Id as CustomerId,
    Name as CustomerName
from {{ ref('stg_customers') }}
where CUSTOMER_ID < 3
