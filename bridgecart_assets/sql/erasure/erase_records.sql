-- Erases the records in `erased_records` and the customers in `customers_to_erase`. What is not theirs stays as it is:
-- their records keep their places, an event that lost to an erased one takes its place in silver/tmp_ranked_events,
-- after this.
-- needs: known_events, erased_records, silver.readings, silver.skipped_records, silver.orders, silver.duplicate_orders,
--     silver.conflicting_orders, silver.superseded_orders, silver.order_lines, silver.rejected_orders,
--     forgotten_payload(), raw.orders
-- gives: affected_keys, accepted, erased_skipped, refused
-- changes: silver.orders, silver.duplicate_orders, silver.conflicting_orders, silver.superseded_orders,
--     silver.order_lines, silver.rejected_orders, silver.skipped_records, raw.orders

create temp table affected_keys as
select distinct order_key, 0 as events
from known_events
semi join erased_records using (topic_id, "partition", "offset");

create temp table accepted as select * exclude (lines) from silver.orders limit 0;

-- What silver has read and has in no other table, it has left out.
create temp table erased_skipped as
select
    topic_id, "partition", "offset", kafka_timestamp, batch_key,
    case when payload is null then 'tombstone' else 'where' end as reason
from raw.orders
semi join erased_records using (topic_id, "partition", "offset")
semi join silver.readings using (batch_key)
anti join known_events using (topic_id, "partition", "offset")
anti join silver.rejected_orders using (topic_id, "partition", "offset");

create temp table refused as
select topic_id, "partition", "offset", kafka_timestamp, batch_key, stands_in as stood_in
from known_events semi join erased_records using (topic_id, "partition", "offset")
union all
select topic_id, "partition", "offset", kafka_timestamp, batch_key, 'rejected_orders'
from silver.rejected_orders semi join erased_records using (topic_id, "partition", "offset")
union all
select * exclude (reason), 'skipped_records' from erased_skipped;

update silver.skipped_records s set records = s.records - e.records
from (select batch_key, "partition", reason, count(*) as records from erased_skipped group by all) e
where (s.batch_key, s."partition", s.reason) = (e.batch_key, e."partition", e.reason);

delete from silver.skipped_records where records = 0;

delete from silver.orders using erased_records e
where (orders.topic_id, orders."partition", orders."offset") = (e.topic_id, e."partition", e."offset");

delete from silver.duplicate_orders d using erased_records e
where (d.topic_id, d."partition", d."offset") = (e.topic_id, e."partition", e."offset");

delete from silver.conflicting_orders c using erased_records e
where (c.topic_id, c."partition", c."offset") = (e.topic_id, e."partition", e."offset");

delete from silver.superseded_orders s using erased_records e
where (s.topic_id, s."partition", s."offset") = (e.topic_id, e."partition", e."offset");

delete from silver.order_lines l using erased_records e
where (l.topic_id, l."partition", l."offset") = (e.topic_id, e."partition", e."offset");

delete from silver.rejected_orders r using erased_records e
where (r.topic_id, r."partition", r."offset") = (e.topic_id, e."partition", e."offset");

insert into silver.rejected_orders by name
select * exclude (stood_in), ['forgotten'] as reasons, forgotten_payload() as payload from refused;

update raw.orders set payload = forgotten_payload(), key = null, headers = null
from erased_records e
where (orders.topic_id, orders."partition", orders."offset") = (e.topic_id, e."partition", e."offset");
