-- States of the batch that do not count, because a state from more than three days before has a higher version. Nobody
-- delivers that late, and what is delivered again has the version of a state that is there.
-- needs: silver.superseded_orders, silver.orders, silver.duplicate_orders, $batch_key
-- gives: rows

with left_behind as (
    select order_key, order_id, version, kafka_timestamp
    from silver.superseded_orders
    anti join silver.duplicate_orders using (order_key, version)
    where batch_key = $batch_key and standing = 'superseded' and version is not null
),
holding as (
    select order_key, version, kafka_timestamp
    from silver.orders
    where part = 0 and order_key in (select order_key from left_behind)
    union all
    select order_key, version, kafka_timestamp
    from silver.superseded_orders
    where standing = 'void' and order_key in (select order_key from left_behind)
)
select
    l.order_id, l.version, l.kafka_timestamp as said_at, h.version as version_that_holds, h.kafka_timestamp as held_since
from left_behind l
join holding h using (order_key)
where l.kafka_timestamp > h.kafka_timestamp + interval 3 days
order by said_at, l.order_id, l.version
