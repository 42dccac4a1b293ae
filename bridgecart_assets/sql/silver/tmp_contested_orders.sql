-- The orders with more to say than one event that counts, and all of their events.
-- needs: accepted, affected_keys, standing_rows, silver.orders, silver.duplicate_orders, silver.conflicting_orders,
--     silver.superseded_orders, silver.order_lines, $batch_key
-- gives: standing, contested, claims

-- What other batches have of these orders, found by their places. An order that sums its lines is no event, nor is a
-- refund inside an order.
create temp table standing as
with events as (
    select * exclude (lines)
    from silver.orders
    where rowid in (select place from standing_rows where stands_in = 'orders') and lines = 1 and part = 0
    union all by name
    select * exclude (winner_topic_id, winner_partition, winner_offset)
    from silver.duplicate_orders
    where rowid in (select place from standing_rows where stands_in = 'duplicate_orders')
    union all by name
    select * exclude (winner_topic_id, winner_partition, winner_offset)
    from silver.conflicting_orders
    where rowid in (select place from standing_rows where stands_in = 'conflicting_orders')
    union all by name
    select * exclude (winner_topic_id, winner_partition, winner_offset, standing)
    from silver.superseded_orders
    where rowid in (select place from standing_rows where stands_in = 'superseded_orders')
    union all by name
    select * exclude (winner_topic_id, winner_partition, winner_offset)
    from silver.order_lines
    where rowid in (select place from standing_rows where stands_in = 'order_lines')
)
select *
from events
where batch_key is distinct from $batch_key;

-- Most orders have one event only, which counts; unless it says that there is none.
create temp table contested as
select order_key from affected_keys where events > 1
union
select order_key from standing
union
select order_key from accepted where is_void;

create temp table claims as
select * from accepted where order_key in (select order_key from contested)
union all by name
select * from standing;
