-- Customers in no segment, or in several.
-- needs: scoped_customer_features, scoped_customer_segments, gold.segment_model, gold.customer_features,
--     gold.customer_segments
-- gives: rows

with counted as (
    select customer_id, count(f.as_of) as feature_rows, count(s.as_of) as segment_rows
    from scoped_customer_features f
    full join scoped_customer_segments s using (customer_id)
    group by customer_id
),
misplaced as (
    select customer_id from counted where feature_rows <> 1 or segment_rows <> 1
),
unscored as (
    select customer_id
    from scoped_customer_features f
    join scoped_customer_segments s using (customer_id)
    where f.frequency > 0 and s.segment_key = 'unassigned'
        and exists (select 1 from gold.segment_model where status = 'active')
)
select 'in no or several segments' as problem, count(*) as customers, min(customer_id) as for_example
from misplaced
having count(*) > 0
union all
select 'purchases but no segment', count(*), min(customer_id)
from unscored
having count(*) > 0
union all
-- Of customers that this run left as they were, too.
select 'rows of other customers than features', abs(f.customers - s.customers), null
from (select count(*) as customers from gold.customer_features) f,
    (select count(*) as customers from gold.customer_segments) s
where f.customers <> s.customers
order by problem
