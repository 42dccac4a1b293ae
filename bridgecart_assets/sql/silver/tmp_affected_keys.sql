-- The orders that this batch claims, or claimed before.
-- needs: accepted, known_events, $batch_key
-- gives: affected_keys

create temp table affected_keys as
select order_key from accepted
union
select order_key from known_events where batch_key = $batch_key;
