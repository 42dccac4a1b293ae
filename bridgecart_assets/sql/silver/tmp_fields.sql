-- The records of one batch, taken apart into the fields of the event (contracts/event.py). A batch that a
-- mapping reads has none here.
-- needs: raw.orders, forgotten_payload(), is_plain_text(), is_plain_time(), is_plain_amount(), is_short_string(),
--     is_plain_unsigned(), latest_purchase(), loses_digits(), with_quoted_numbers(), $max_payload_bytes, $currency,
--     $batch_key, $is_mapped
-- gives: fields

create temp table fields as
with texts as (
    select
        topic_id, "partition", "offset", kafka_timestamp, batch_key, payload,
        case when octet_length(payload) <= $max_payload_bytes then try(decode(payload)) end as body
    from raw.orders
    where batch_key = $batch_key and not $is_mapped
),
documents as (
    select
        topic_id, "partition", "offset", kafka_timestamp, batch_key, body,
        case
            when payload = forgotten_payload() then 'forgotten'
            when payload is null then 'tombstone'
            when octet_length(payload) > $max_payload_bytes then 'oversized'
            when body is null then 'not_utf8'
            when not json_valid(body) then 'not_json'
            when not starts_with(body, '{') and json_type(body) <> 'OBJECT' then 'not_object'
        end as unreadable
    from texts
),
events as (
    select
        * exclude (body),
        -- A JSON function raises on malformed text, and shows it: so it never gets any.
        json_transform(
            case when unreadable is null then body end,
            '{event_schema}'
        ) as event,
        json_transform(
            case when unreadable is null and loses_digits(body) then with_quoted_numbers(body) end,
            '{event_schema}'
        ) as written
    from documents
),
readings as (
    select
        *,
        {unpacked} as {order_field},
    from events
),
classified as (
    select
        *,
        coalesce(
            {plain} and
            written is null,
            false
        ) as is_plain
    from readings
)
select
    * replace (case when not is_plain then event end as event),
    case when
        event.{attribute_field} is null or
        false
    then list_filter([
        case when event.{attribute_field} is not null then '{attribute_field}' end,
    ], lambda attribute: attribute is not null) end as stated_attributes
from classified;
