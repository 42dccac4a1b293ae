-- Into the outbox: customers whose segment or lifecycle is another than the one that was announced.
-- The last change stays, so that its number is not used again.
-- needs: gold.segment_changes, gold.customer_segments, gold.announced_segments, $delivered
-- gives: moved
-- changes: gold.segment_changes, gold.announced_segments

delete from gold.segment_changes
where (sent or change <= $delivered) and change < (select max(change) from gold.segment_changes);

create or replace temp table moved as
select
    coalesce(s.customer_id, a.customer_id) as customer_id,
    a.segment_key as from_key,
    s.segment_key as to_key,
    a.lifecycle as from_lifecycle,
    s.lifecycle as to_lifecycle,
    s.model_version,
    (select max(as_of) from gold.customer_segments) as as_of
from gold.customer_segments s
full join gold.announced_segments a on a.customer_id = s.customer_id
where a.segment_key is distinct from s.segment_key or a.lifecycle is distinct from s.lifecycle;

insert into gold.segment_changes by name
select
    greatest($delivered, coalesce((select max(change) from gold.segment_changes), 0))
        + row_number() over (order by customer_id) as change,
    customer_id, from_key, to_key, from_lifecycle, to_lifecycle, model_version, as_of, false as sent
from moved;

delete from gold.announced_segments where customer_id in (select customer_id from moved);

insert into gold.announced_segments by name
select customer_id, to_key as segment_key, to_lifecycle as lifecycle
from moved
where to_key is not null;
