select d."partition" as kafka_partition, d."offset" as kafka_offset, d.order_key
from silver.duplicate_orders d
left join silver.orders o
    on (o.order_key, o.topic_id, o."partition", o."offset")
        = (d.order_key, d.winner_topic_id, d.winner_partition, d.winner_offset)
where d.batch_key = $batch_key and o.order_key is null
order by kafka_partition, kafka_offset
