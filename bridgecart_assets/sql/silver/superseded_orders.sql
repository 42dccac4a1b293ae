-- States of an order before the one that holds, and that one where it says that the order is void.
-- needs: ranked_events
-- gives: silver.superseded_orders

select
    * exclude (stands_in),
    case
        when (topic_id, "partition", "offset") = (winner_topic_id, winner_partition, winner_offset) then 'void'
        else 'superseded'
    end as standing
from ranked_events
where stands_in = 'superseded_orders'
