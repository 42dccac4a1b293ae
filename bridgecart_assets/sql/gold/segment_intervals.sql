-- The history of customers' segments as the period openings see it. A validity interval begins where a customer's
-- segment is not that of the opening before, and ends where the next one begins. Nothing lies between: who is there at
-- an opening is there at every later one, too.
-- needs: made_timeline, periods
-- gives: gold.segment_intervals

with compared as (
    select
        as_of, customer_id, customer_hash, segment_key, model_version,
        segment_key is distinct from lag(segment_key) over (partition by customer_id order by as_of) as begins
    from made_timeline
    where as_of in (select period from periods)
)
select
    customer_id, customer_hash, segment_key, model_version,
    as_of as valid_from,
    lead(as_of) over (partition by customer_id order by as_of) as valid_to
from compared
where begins
