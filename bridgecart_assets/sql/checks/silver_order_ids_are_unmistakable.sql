-- Order ids of the batch that several customers have, or that were sent again with another time, among the orders since
-- $compared_since; without $batch_key, and where not only changes are looked at, all ids. Where the source says versions,
-- an id is the order, whosever and whenever.
-- needs: silver.orders, silver.duplicate_orders, $batch_key, $only_changes, $compared_since
-- gives: rows

-- Read where they are asked for, each time with few columns or few rows: together they are the orders of weeks.
with purchases as not materialized (
    select order_id, customer_id, purchased_at
    from silver.orders
    where order_kind <> 'refund' and is_void is null and purchased_on >= $compared_since::date
    union all
    select order_id, customer_id, purchased_at
    from silver.duplicate_orders
    where order_kind <> 'refund' and is_void is null and purchased_on >= $compared_since::date
),
looked_at as (
    select order_id from silver.orders where batch_key = $batch_key
    union all
    select order_id from silver.duplicate_orders where batch_key = $batch_key
    union all
    select order_id from purchases where $batch_key is null and not $only_changes
),
-- Most ids stand once, and to count what is distinct takes ten times as long.
repeated as (
    select order_id
    from purchases
    where order_id in (select order_id from looked_at)
    group by order_id
    having count(*) > 1
)
select
    order_id, count(*) as events, count(distinct customer_id) as customers,
    min(purchased_at) as earliest, max(purchased_at) as latest
from purchases
where order_id in (select order_id from repeated)
group by order_id
having count(distinct customer_id) > 1 or count(distinct purchased_at) > 1
order by order_id
