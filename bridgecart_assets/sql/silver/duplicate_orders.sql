-- Events of an order of which another event counts.
-- needs: ranked_events
-- gives: silver.duplicate_orders

select * exclude (rank)
from ranked_events
where rank > 1
