-- The history of everyone's segment (SCD type 2): a view of the intervals as of the last period opening, and of now. Who
-- is in another segment now has been so since the as-of date.
-- needs: gold.segment_intervals, gold.customer_scores
-- gives: gold.segment_membership

with moved as (
    select s.customer_id, s.customer_hash, s.segment_key, s.model_version, s.as_of
    from gold.customer_scores s
    left join gold.segment_intervals i
        on i.customer_hash = s.customer_hash and i.customer_id = s.customer_id and i.valid_to is null
    where s.segment_key is distinct from i.segment_key
)
select
    i.customer_id, i.customer_hash, i.segment_key, i.model_version, i.valid_from,
    coalesce(i.valid_to, m.as_of) as valid_to,
    coalesce(i.valid_to, m.as_of) is null as is_current
from gold.segment_intervals i
left join moved m on m.customer_hash = i.customer_hash and m.customer_id = i.customer_id and i.valid_to is null
union all
select customer_id, customer_hash, segment_key, model_version, as_of, null, true
from moved
