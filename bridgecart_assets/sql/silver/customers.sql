-- One row a customer, with each attribute as the latest event states it, or as it was known before.
-- needs: stated_attributes, scoped_customers
-- gives: silver.customers

with known as (
    -- Those of whom only what came is read.
    select
        customer_hash as known_hash, first_seen_at as known_since,
        {attribute} as known_{attribute},
    from scoped_customers
)
select
    customer_id,
    customer_hash,
    coalesce(any_value(known_{attribute}) filter (where not says_{attribute}), {attribute_value}) as {attribute},
    coalesce(any_value(known_since), first_seen_at) as first_seen_at,
    last_seen_at
from stated_attributes
left join known on known_hash = customer_hash
group by customer_id, customer_hash, first_seen_at, last_seen_at
