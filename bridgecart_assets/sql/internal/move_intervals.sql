-- Intervals of who is in another segment at a period opening than at the one before: one ends, and one begins.
-- needs: gold.segment_intervals, gold.customer_openings, $opened
-- gives: moved
-- changes: gold.segment_intervals

create or replace temp table moved as
select o.customer_id, o.customer_hash, o.segment_key, o.model_version
from gold.customer_openings o
left join (from gold.segment_intervals where valid_to is null) i using (customer_id, customer_hash)
where o.as_of = $opened::date and o.segment_key is distinct from i.segment_key;

update gold.segment_intervals as i set valid_to = $opened::date
from moved m
where i.valid_to is null and i.customer_hash = m.customer_hash and i.customer_id = m.customer_id;

insert into gold.segment_intervals by name
select *, $opened::date as valid_from
from moved;
