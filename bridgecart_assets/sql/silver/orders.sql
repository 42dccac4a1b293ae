-- One row an order: of its events, the one that counts, or the sum of its lines.
-- needs: accepted, contested, ranked_events, summed_orders
-- gives: silver.orders
-- through: silver/changed_customers

select *, 1 as lines from accepted where order_key not in (select order_key from contested)
union all by name
select * exclude (stands_in, winner_topic_id, winner_partition, winner_offset), 1 as lines
from ranked_events
where stands_in = 'orders'
union all by name
select * from summed_orders
