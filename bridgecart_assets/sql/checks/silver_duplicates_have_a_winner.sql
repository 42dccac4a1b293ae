-- Events of the batch without the event that counts in their place: of a duplicate the one that it repeats. A void
-- state that holds is in its own place.
-- needs: silver.duplicate_orders, silver.conflicting_orders, silver.superseded_orders, silver.order_lines,
--     silver.orders, known_events, $batch_key
-- gives: rows

with beside as (
    select * exclude (standing), false as is_copy from silver.superseded_orders where batch_key = $batch_key
    union all by name
    select *, false as is_copy from silver.conflicting_orders where batch_key = $batch_key
    union all by name
    select *, false as is_copy from silver.order_lines where batch_key = $batch_key
    union all by name
    select *, true as is_copy from silver.duplicate_orders where batch_key = $batch_key
),
winners as (
    select order_key, topic_id, "partition", "offset", false as is_copy
    from silver.orders
    where part = 0 and order_key in (select order_key from beside)
    union all
    select order_key, topic_id, "partition", "offset", false as is_copy
    from silver.superseded_orders
    where standing = 'void' and order_key in (select order_key from beside)
    union all
    select order_key, topic_id, "partition", "offset", true as is_copy
    from known_events
    where stands_in <> 'duplicate_orders' and order_key in (select order_key from beside)
)
select b."partition" as kafka_partition, b."offset" as kafka_offset, b.order_key
from beside b
left join winners w on (w.order_key, w.topic_id, w."partition", w."offset", w.is_copy)
    = (b.order_key, b.winner_topic_id, b.winner_partition, b.winner_offset, b.is_copy)
where w.order_key is null
order by kafka_partition, kafka_offset
