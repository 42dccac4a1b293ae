-- The records of one batch in one pass: the fields of those that are plainly right by the event contract
-- (contracts/event.py), the payload of all others. A batch that a mapping reads has none here.
-- needs: raw.orders, is_plain_text(), is_telling_text(), is_plain_time(), is_plain_amount(), is_plain_unsigned(),
--     flag_of(), utc_of(), latest_purchase(), order_key_of(), customer_hash_of(), day_of(), net_of(),
--     $amount_is_net, $calendar_timezone, $max_payload_bytes, $currency, $batch_key, $is_mapped
-- gives: fields

create temp table fields as
with texts as (
    select
        topic_id, "partition", "offset", kafka_timestamp, batch_key, payload,
        -- Bytes that are no UTF-8 are left out, so that its length is another: that takes less than to try.
        case when octet_length(payload) <= $max_payload_bytes then decode(payload, 'ignore') end as body
    from raw.orders
    where batch_key = $batch_key and not $is_mapped
),
said as (
    select
        * exclude (body),
        -- With one error in a vector, all its values are tried one by one: what does not end as an object, but for the end
        -- of its line, is not tried.
        case when
            strlen(body) = octet_length(payload)
            and starts_with(body, '{') and (ends_with(body, '}') or ends_with(body, '}' || chr(10)))
        then
            -- A list takes less time than a struct.
            try(json_extract_string(body, [
                '$.{field}',
            ]))
        end as said
    from texts
),
events as (
    select
        * exclude (said),
        {
            '{field}': said[{position}],
        } as event
    from said
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
        case when
            {plain} and
            true
        then true else false end as is_plain
    from readings
)
select
    * exclude (event) replace (case when not is_plain then payload end as payload),
    case when
        event.{attribute_field} is null or
        false
    then list_filter([
        case when event.{attribute_field} is not null then '{attribute_field}' end,
    ], lambda attribute: attribute is not null) end as stated_attributes,
    case when is_plain then customer_hash_of(customer_id) end as customer_hash,
    case when is_plain then day_of(utc_of(purchase_date), $calendar_timezone) end as purchased_on,
    case when is_plain then net_of(purchase_amount, discount_amount, $amount_is_net) end as net_amount,
    -- Without an order's id it depends on spellings, which are looked up later.
    case when is_plain and order_id is not null then
        order_key_of(null, order_id, customer_id, utc_of(purchase_date), purchase_amount, null, null)
    end as order_key
from classified;
