-- The orders that this batch claims, with how many events, or claimed before.
-- needs: accepted_keys, known_events, $batch_key
-- gives: affected_keys

create temp table affected_keys as
with claimed as (
    select order_key, true as is_claimed from accepted_keys
    union all
    select order_key, false from known_events where batch_key = $batch_key
)
select order_key, count(*) filter (where is_claimed) as events
from claimed
group by order_key;
