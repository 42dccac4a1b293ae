-- The records of a batch that a mapping reads, as they arrived.
-- needs: raw.orders, $batch_key, $is_mapped
-- gives: rows for mapped

select topic_id, "partition", "offset", kafka_timestamp, batch_key, key, headers, payload
from raw.orders
where batch_key = $batch_key and $is_mapped
