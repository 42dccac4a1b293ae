-- Kafka partitions whose first batch began above offset 0: what was before had gone when they were first read.
-- needs: raw.batches, raw.orders
-- gives: rows

with spans as (
    select b.topic, b.topic_id, b.batch_key, u.span."partition", u.span."start"
    from raw.batches b, unnest(b.ranges) as u(span)
),
starts as (
    select arg_min(topic, batch_key) as topic, topic_id, "partition", arg_min("start", batch_key) as "offset"
    from spans
    group by topic_id, "partition"
),
-- A partition that was added later begins at 0, and a hole before it is told as a loss.
incomplete as (
    select * from starts where "offset" > 0
)
select i.topic, i.topic_id, i."partition", i."offset", min(r.kafka_timestamp) as since
from incomplete i
left join raw.orders r using (topic_id, "partition")
group by all
order by i.topic, i.topic_id, i."partition"
