-- All orders of the customers that are late, as they were before the changes and as they are.
-- needs: silver.orders, clock, retold, netted_orders
-- gives: orders_after, orders_before

create or replace temp table orders_after as
select customer_id, customer_hash, purchased_on, order_kind, net_amount, coupon_used
from silver.orders
where customer_hash in (select customer_hash from retold) and customer_id in (select customer_id from retold)
    and purchased_on < (select as_of from clock);

-- Equal orders are counted, not told apart.
create or replace temp table orders_before as
select o.* exclude (number)
from (
    select * exclude (came), sum(came)::bigint as number
    from (
        select *, 1 as came from orders_after
        union all
        select * replace (-came as came) from netted_orders semi join retold using (customer_id, customer_hash)
    )
    group by all
) o, range(o.number);
