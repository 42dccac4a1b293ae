select coalesce(c.customer_id, o.customer_id) is not null as mismatch,
    count(*) filter (where c.customer_id is null) as customers_without_row,
    count(*) filter (where o.customer_id is null) as rows_without_order
from silver.customers c
full join (select distinct customer_id from silver.orders) o using (customer_id)
where c.customer_id is null or o.customer_id is null
group by mismatch
