-- Which event of an order counts: the first by Kafka timestamp, then partition and offset, over all batches; of two
-- topics, one of which was created again, that of the one that was read first.
-- Every order of `affected_keys` is ranked again; that makes the outcome independent of the order in which batches are
-- materialized. A duplicate carries the same purchase time, so the search is bounded.
-- needs: affected_keys, silver.orders, silver.duplicate_orders, accepted, $batch_key
-- gives: bounds, standing, contested, ranked_events, replaced_orders
-- changes: silver.orders, silver.duplicate_orders

create temp table bounds as
select min(purchased_at) as earliest, max(purchased_at) as latest from affected_keys;

-- What other batches have of these orders.
create temp table standing as
select o.* from silver.orders o, bounds
where o.purchased_at between bounds.earliest and bounds.latest and o.batch_key is distinct from $batch_key
    and o.order_key in (select order_key from affected_keys)
union all by name
select d.* exclude (winner_topic_id, winner_partition, winner_offset) from silver.duplicate_orders d, bounds
where d.purchased_at between bounds.earliest and bounds.latest and d.batch_key is distinct from $batch_key
    and d.order_key in (select order_key from affected_keys);

-- Most orders have one event only, which counts.
create temp table contested as
select order_key from accepted group by order_key having count(*) > 1
union
select order_key from standing;

create temp table ranked_events as
with claims as (
    select * from accepted where order_key in (select order_key from contested)
    union all by name
    select * from standing
)
select
    *,
    row_number() over arrival as rank,
    first_value(topic_id) over arrival as winner_topic_id,
    first_value("partition") over arrival as winner_partition,
    first_value("offset") over arrival as winner_offset
from claims
window arrival as (partition by order_key order by kafka_timestamp nulls last, "partition", "offset", batch_key);

create temp table replaced_orders as
select o.customer_hash, o.purchased_on
from silver.orders o, bounds
where o.purchased_at between bounds.earliest and bounds.latest and o.order_key in (select order_key from affected_keys);

delete from silver.orders using bounds
where silver.orders.purchased_at between bounds.earliest and bounds.latest
    and silver.orders.order_key in (select order_key from affected_keys);

delete from silver.duplicate_orders using bounds
where silver.duplicate_orders.purchased_at between bounds.earliest and bounds.latest
    and silver.duplicate_orders.order_key in (select order_key from affected_keys);
