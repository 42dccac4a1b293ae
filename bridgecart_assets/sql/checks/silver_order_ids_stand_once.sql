-- One order id at two purchase times: both orders stand, and the source should know.
-- needs: silver.orders, $batch_key
-- gives: rows

with of_batch as (
    select distinct order_id from silver.orders where batch_key = $batch_key and order_id is not null
)
select o.order_id, count(*) as orders, min(o.purchased_at) as earliest, max(o.purchased_at) as latest
from silver.orders o
where o.order_id in (select order_id from of_batch)
group by o.order_id
having count(*) > 1
order by o.order_id
