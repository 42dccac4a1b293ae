-- Customers by segment and lifecycle.
-- needs: gold.customer_segments
-- gives: rows

select segment_key, lifecycle, count(*) as customers
from gold.customer_segments
where lifecycle is not null
group by segment_key, lifecycle
order by segment_key, lifecycle
