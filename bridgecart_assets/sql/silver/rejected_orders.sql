select refused.*, r.payload
from refused
join raw.orders r using (topic_id, "partition", "offset")
where r.batch_key = $batch_key
