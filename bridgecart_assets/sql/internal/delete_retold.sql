-- Openings of who is late that are after the change, and all of their intervals.
-- needs: gold.customer_openings, gold.segment_intervals, retold
-- gives: nothing
-- changes: gold.customer_openings, gold.segment_intervals

delete from gold.customer_openings as o
using retold l
where o.customer_hash = l.customer_hash and o.customer_id = l.customer_id and o.as_of > l.since
    and o.as_of > (select min(since) from retold);

delete from gold.segment_intervals as i
using retold l
where i.customer_hash = l.customer_hash and i.customer_id = l.customer_id;
