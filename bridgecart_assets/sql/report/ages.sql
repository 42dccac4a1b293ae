-- Customers by ten years of age and current segment.
-- needs: gold.customer_segments, silver.customers
-- gives: rows

select s.segment_key, c.age // 10 * 10 as from_age, count(*) as customers
from gold.customer_segments s
join silver.customers c using (customer_hash, customer_id)
where c.age is not null
group by all
order by s.segment_key, from_age
