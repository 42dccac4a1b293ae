-- The batch's records must lie within its ranges, and be as many as the ledger says.
-- needs: raw.batches, raw.orders, $batch_key
-- gives: rows

with ranges as (
    select topic_id, unnest(ranges) as r from raw.batches where batch_key = $batch_key
),
records as (
    select topic_id, "partition", count(*) as records, min("offset") as lowest, max("offset") as highest
    from raw.orders
    where batch_key = $batch_key
    group by topic_id, "partition"
),
per_partition as (
    select records.*, r."start" as starts_at, r."end" as ends_at
    from records
    left join ranges on ranges.topic_id = records.topic_id and r."partition" = records."partition"
)
select
    'outside its offsets' as problem, "partition" as kafka_partition, records, lowest as first_offset,
    highest as last_offset, starts_at, ends_at
from per_partition
where starts_at is null or lowest < starts_at or highest >= ends_at
union all
select 'not as many as the ledger says: ' || b.records, null, r.records, null, null, null, null
from raw.batches b, (select count(*) as records from raw.orders where batch_key = $batch_key) r
where b.batch_key = $batch_key and b.records <> r.records
