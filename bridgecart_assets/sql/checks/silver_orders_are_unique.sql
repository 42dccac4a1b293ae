-- Orders with an event in the batch that stand more than once.
-- needs: silver.orders, $batch_key
-- gives: rows

select order_key, count(*) as copies
from silver.orders
where order_key in (select order_key from silver.orders where batch_key = $batch_key)
group by order_key
having count(*) > 1
order by order_key
