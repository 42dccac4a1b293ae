-- Two events of one order carry the same purchase time, so the batch's time range is enough to look at.
-- needs: silver.orders, $batch_key
-- gives: rows

with bounds as (
    select min(purchased_at) as earliest, max(purchased_at) as latest from silver.orders where batch_key = $batch_key
)
select order_key, count(*) as copies
from silver.orders, bounds
where purchased_at between earliest and latest
group by order_key
having count(*) > 1
order by order_key
