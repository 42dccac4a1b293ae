-- The records of one batch that are not plainly right, as JSON: why one cannot be read, else the fields of the event.
-- needs: fields, forgotten_payload(), loses_digits(), with_quoted_numbers(), $max_payload_bytes
-- gives: documents

create temp table documents as
with texts as (
    select
        topic_id, "partition", "offset", kafka_timestamp, batch_key, payload,
        case when octet_length(payload) <= $max_payload_bytes then try(decode(payload)) end as body
    from fields
    where not is_plain
),
readable as (
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
)
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
from readable;
