-- Ranges of one topic and partition must follow each other without gap or overlap; a recorded hole belongs to the
-- chain.
-- needs: raw.batches
-- gives: rows

with ranges as (
    select b.batch_key, b.topic_id, unnest(b.ranges || b.lost) as r
    from raw.batches b
),
chained as (
    select
        batch_key, topic_id, r."partition" as kafka_partition, r."start" as starts_at, r."end" as ends_at,
        lag(r."end") over (partition by topic_id, r."partition" order by r."start", r."end") as previous_end
    from ranges
)
select batch_key, topic_id, kafka_partition, previous_end, starts_at
from chained
where previous_end <> starts_at
order by topic_id, kafka_partition, starts_at
