-- The batch's records must lie within its ranges, and be as many as the ledger says.
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
select "partition" as kafka_partition, records, lowest, highest, starts_at, ends_at
from per_partition
where starts_at is null or lowest < starts_at or highest >= ends_at
union all
select null, (select count(*) from raw.orders where batch_key = $batch_key), null, null, null, b.records
from raw.batches b
where b.batch_key = $batch_key and b.records <> (select count(*) from raw.orders where batch_key = $batch_key)
