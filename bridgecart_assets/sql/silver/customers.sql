-- One row a customer. Attributes as the latest order states them: by purchase time, then by arrival.
-- needs: scoped_orders, raw.orders, text_of(), spellings, lookup_key_of(), number_of(), money_of()
-- gives: silver.customers

with ranked as (
    select
        *,
        row_number() over (
            partition by customer_id
            order by purchased_at desc, kafka_timestamp desc nulls last, "partition" desc, "offset" desc, topic_id desc
        ) as rank,
        min(purchased_at) over (partition by customer_id) as first_seen_at,
        max(purchased_at) over (partition by customer_id) as last_seen_at
    from scoped_orders
),
latest as (
    select l.customer_id, l.customer_hash, l.first_seen_at, l.last_seen_at, decode(r.payload)::json as event
    from ranked l
    -- The batch is the same by construction; with it, only the rows of few batches are looked at.
    join raw.orders r on r.batch_key = l.batch_key
        and (r.topic_id, r."partition", r."offset") = (l.topic_id, l."partition", l."offset")
    where l.rank = 1
)
select
    customer_id,
    customer_hash,
    {attribute_value} as {attribute},
    first_seen_at,
    last_seen_at
from latest
left join spellings {spelled_attribute}_spelling on {spelled_attribute}_spelling.field = '{spelled_attribute}' and {spelled_attribute}_spelling.lookup_key = lookup_key_of(text_of(event -> '$.{spelled_attribute}'))
