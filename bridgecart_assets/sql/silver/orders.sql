-- One row an order: of its events, the one that counts.
-- needs: accepted, contested, ranked_events
-- gives: silver.orders
-- through: silver/changed_customers

select * from accepted where order_key not in (select order_key from contested)
union all by name
select * exclude (rank, winner_topic_id, winner_partition, winner_offset)
from ranked_events
where rank = 1
