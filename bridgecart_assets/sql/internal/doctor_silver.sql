-- Batches of the ledger whose records do not all stand in one of silver's tables.
-- needs: known_events, silver.rejected_orders, silver.skipped_records, raw.batches
-- gives: rows

with processed as (
    select batch_key, count(*) as records from known_events group by batch_key
    union all
    select batch_key, count(*) from silver.rejected_orders group by batch_key
    union all
    select batch_key, records from silver.skipped_records
)
select batch_key, b.records as raw_records, coalesce(j.records, 0) as silver_records
from raw.batches b
left join (select batch_key, sum(records)::bigint as records from processed group by batch_key) j using (batch_key)
where b.records <> coalesce(j.records, 0)
order by batch_key
