-- What these events say of their customers: each attribute in the row of the event that states it last.
-- needs: stating_events, mapped_attributes, raw.orders, given_of(), loses_digits(), with_quoted_numbers(), is_text(),
--     spellings, lookup_key_of(), is_number(), number_of(), money_of()
-- gives: stated_attributes

-- Of few records DuckDB looks for each among the offsets of every row group, and leaves out the groups that have none:
-- else it reads the payload of all records between the first and the last.
set dynamic_or_filter_threshold = 20_000;

create or replace temp table stated_attributes as
with bodies as (
    select s.*, decode(r.payload) as body
    from stating_events s
    -- The batch is the same by construction; with it, only the rows of few batches are looked at.
    join raw.orders r using (batch_key, topic_id, "partition", "offset")
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
)
select
    customer_id, customer_hash, first_seen_at, last_seen_at,
    place_of_{attribute_field} is not null as says_{attribute},
    {attribute_stated} as {attribute},
from typed
left join spellings {spelled_attribute}_spelling on {spelled_attribute}_spelling.field = '{spelled_attribute}' and {spelled_attribute}_spelling.lookup_key = lookup_key_of(given_{spelled_attribute});

reset dynamic_or_filter_threshold;
