-- The history of everyone's segment (SCD type 2). A validity interval begins where a customer's segment is not that of
-- the snapshot before, and ends where the next one begins. Nothing lies between: who has a snapshot has one at every
-- later date, too. An erased customer has none at all. Before the earliest snapshot that may have changed, the
-- intervals stand; where one begins is all that matters of them.
-- needs: scoped_customer_snapshots, scoped_segment_membership, $changes_from
-- gives: gold.segment_membership

with segments as (
    select as_of, customer_id, customer_hash, segment_key, model_version
    from scoped_customer_snapshots
    union all
    select valid_from, customer_id, customer_hash, segment_key, model_version
    from scoped_segment_membership
    where valid_from < $changes_from::date
),
compared as (
    select
        *,
        segment_key is distinct from lag(segment_key) over (partition by customer_id order by as_of) as begins
    from segments
),
intervals as (
    select
        customer_id, customer_hash, segment_key, model_version,
        as_of as valid_from,
        lead(as_of) over (partition by customer_id order by as_of) as valid_to
    from compared
    where begins
)
select *, valid_to is null as is_current
from intervals
