-- Fewer records than offsets: normal for transactions and compaction, worth a look elsewhere.
-- needs: raw.batches, $batch_key
-- gives: rows

select batch_key, planned_records, records, planned_records - records as missing
from raw.batches
where batch_key = $batch_key and records <> planned_records
