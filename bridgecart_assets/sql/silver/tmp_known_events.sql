-- All events of orders that silver has, and the table in which each of them stands.
-- needs: silver.orders, silver.duplicate_orders, silver.conflicting_orders, silver.superseded_orders,
--     silver.order_lines
-- gives: known_events

create or replace temp view known_events as
-- An order that sums its lines is no event: the lines are. Nor is a refund inside an order.
select * exclude (lines), 'orders' as stands_in from silver.orders where lines = 1 and part = 0
union all by name
select * exclude (winner_topic_id, winner_partition, winner_offset), 'duplicate_orders' as stands_in
from silver.duplicate_orders
union all by name
select * exclude (winner_topic_id, winner_partition, winner_offset), 'conflicting_orders' as stands_in
from silver.conflicting_orders
union all by name
select * exclude (winner_topic_id, winner_partition, winner_offset, standing), 'superseded_orders' as stands_in
from silver.superseded_orders
union all by name
select * exclude (winner_topic_id, winner_partition, winner_offset), 'order_lines' as stands_in
from silver.order_lines;
