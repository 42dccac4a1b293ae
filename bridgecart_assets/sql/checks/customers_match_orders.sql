-- Customers without an order, and orders without a customer. They are told by the hashes of their ids, and only who is
-- missed by name: to read the ids of all orders takes ten times as long.
-- needs: scoped_customers, scoped_orders, silver.orders, customer_hash_of()
-- gives: rows

with ordering as (
    select distinct customer_hash from scoped_orders
),
lacking as (
    select distinct customer_id
    from silver.orders
    where customer_hash in (select customer_hash from ordering anti join scoped_customers using (customer_hash))
),
idle as (
    select customer_id from scoped_customers anti join ordering using (customer_hash)
    union all
    select customer_id from scoped_customers where customer_hash <> customer_hash_of(customer_id)
)
select 'customers without a row' as problem, count(*) as customers, min(customer_id) as for_example
from lacking
having count(*) > 0
union all
select 'rows without an order', count(*), min(customer_id)
from idle
having count(*) > 0
order by problem
