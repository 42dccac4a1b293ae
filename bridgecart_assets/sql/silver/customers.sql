-- One row a customer, with each attribute as the latest event states it, or as it was known before.
-- needs: stating_events, scoped_customers, mapped_attributes, raw.orders, given_of(), loses_digits(), with_quoted_numbers(),
--     is_text(), spellings, lookup_key_of(), is_number(), number_of(), money_of()
-- gives: silver.customers

with bodies as (
    select s.*, decode(r.payload) as body
    from stating_events s
    -- The batch is the same by construction; with it, only the rows of few batches are looked at.
    join raw.orders r on r.batch_key = s.batch_key
        and (r.topic_id, r."partition", r."offset") = (s.topic_id, s."partition", s."offset")
    where s.batch_key not in (select batch_key from mapped_attributes)
    union all
    -- As BridgeCart's own event would say it, so that one contract reads both.
    select s.*, to_json({
        '{attribute_field}': m.{attribute_field}::varchar,
    })::varchar
    from stating_events s
    join mapped_attributes m using (batch_key, topic_id, "partition", "offset")
),
events as (
    select
        * exclude (body),
        json_transform(body, '{attribute_schema}') as event,
        json_transform(case when loses_digits(body) then with_quoted_numbers(body) end, '{attribute_schema}') as written
    from bodies
),
given as (
    select
        *,
        given_of(event.{attribute_field}, coalesce(written.{attribute_field}, event.{attribute_field})) as given_{attribute_field},
    from events
),
typed as (
    select
        *,
        {attribute_typed} as {attribute_field},
    from given
),
-- Those of whom only what came is read.
known as (
    select
        customer_hash as known_hash, first_seen_at as known_since,
        {attribute} as known_{attribute},
    from scoped_customers
)
select
    customer_id,
    customer_hash,
    coalesce(any_value(known_{attribute}) filter (where place_of_{attribute_field} is null), {attribute_value}) as {attribute},
    coalesce(any_value(known_since), first_seen_at) as first_seen_at,
    last_seen_at
from typed
left join known on known_hash = customer_hash
left join spellings {spelled_attribute}_spelling on {spelled_attribute}_spelling.field = '{spelled_attribute}' and {spelled_attribute}_spelling.lookup_key = lookup_key_of(given_{spelled_attribute})
group by customer_id, customer_hash, first_seen_at, last_seen_at
