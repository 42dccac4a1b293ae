-- Customers without an order, and orders without a customer.
-- needs: scoped_customers, scoped_orders
-- gives: rows

select
    case when c.customer_id is null then 'customers without a row' else 'rows without an order' end as problem,
    count(*) as customers,
    min(coalesce(c.customer_id, o.customer_id)) as for_example
from scoped_customers c
full join (select distinct customer_id from scoped_orders) o on o.customer_id = c.customer_id
where c.customer_id is null or o.customer_id is null
group by problem
order by problem
