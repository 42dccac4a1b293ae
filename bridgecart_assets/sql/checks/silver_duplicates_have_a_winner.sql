-- Duplicates of the batch of whose order no event counts.
-- needs: silver.duplicate_orders, silver.orders, $batch_key
-- gives: rows

select d."partition" as kafka_partition, d."offset" as kafka_offset, d.order_key
from silver.duplicate_orders d
-- A duplicate carries the same purchase time as its winner: with it, few rows are looked at.
left join silver.orders o
    on o.purchased_at = d.purchased_at and (o.order_key, o.topic_id, o."partition", o."offset")
        = (d.order_key, d.winner_topic_id, d.winner_partition, d.winner_offset)
where d.batch_key = $batch_key and o.order_key is null
order by kafka_partition, kafka_offset
