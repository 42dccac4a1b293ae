-- Holes that retention made before any batch had read the records.
-- needs: raw.batches, $batch_key
-- gives: rows

select batch_key, u.l."partition" as kafka_partition, u.l."start" as first_lost, u.l."end" - u.l."start" as records
from raw.batches, unnest(lost) as u(l)
where batch_key = $batch_key
order by kafka_partition
