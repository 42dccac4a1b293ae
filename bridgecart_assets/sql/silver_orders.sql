select * exclude (place, winner_topic_id, winner_partition, winner_offset)
from contest
where place = 1
