-- The newest batches, oldest first.
-- needs: raw.batches
-- gives: rows

select *
from (select batch_key, topic, planned_records, records from raw.batches order by batch_key desc limit 40)
order by batch_key
