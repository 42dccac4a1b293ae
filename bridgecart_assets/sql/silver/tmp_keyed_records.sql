-- The records of one batch, each with the key of its order; NULL where it is none.
-- needs: raw.orders, accepted, $batch_key
-- gives: keyed_records

create temp table keyed_records as
select r.*, a.order_key
from raw.orders r
left join (select topic_id, "partition", "offset", order_key from accepted) a using (topic_id, "partition", "offset")
where r.batch_key = $batch_key;
