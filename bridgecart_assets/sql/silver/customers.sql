-- One row a customer. Each attribute as the latest event that states it: by purchase time, then by arrival.
-- needs: scoped_orders, raw.orders, given_of(), loses_digits(), with_quoted_numbers(), is_text(), spellings,
--     lookup_key_of(), is_number(), number_of(), money_of()
-- gives: silver.customers

with arrived as (
    select
        *,
        row_number() over (
            partition by customer_id
            order by purchased_at, kafka_timestamp nulls first, "partition", "offset", topic_id
        ) as place
    from scoped_orders
),
customers as (
    select
        customer_id,
        customer_hash,
        -- Of what silver took in before it noted what is stated, the latest event speaks for all attributes.
        max(place) filter (where coalesce(list_contains(stated_attributes, '{attribute_field}'), true)) as place_of_{attribute_field},
        min(purchased_at) as first_seen_at,
        max(purchased_at) as last_seen_at
    from arrived
    group by customer_id, customer_hash
),
bodies as (
    select a.customer_id, a.place, decode(r.payload) as body
    from arrived a
    join customers c on c.customer_id = a.customer_id and list_contains([
        place_of_{attribute_field},
    ], a.place)
    -- The batch is the same by construction; with it, only the rows of few batches are looked at.
    join raw.orders r on r.batch_key = a.batch_key
        and (r.topic_id, r."partition", r."offset") = (a.topic_id, a."partition", a."offset")
),
events as (
    select
        customer_id,
        place,
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
)
select
    c.customer_id,
    c.customer_hash,
    {attribute_value} as {attribute},
    c.first_seen_at,
    c.last_seen_at
from customers c
left join typed on typed.customer_id = c.customer_id
left join spellings {spelled_attribute}_spelling on {spelled_attribute}_spelling.field = '{spelled_attribute}' and {spelled_attribute}_spelling.lookup_key = lookup_key_of(given_{spelled_attribute})
group by c.customer_id, c.customer_hash, c.first_seen_at, c.last_seen_at
