select * exclude (rank)
from ranked_events
where rank > 1
