-- The records of one batch, taken apart into the fields of the contract.

create temp table fields as
with texts as (
    select
        topic_id, "partition", "offset", kafka_timestamp, batch_key, payload,
        case when octet_length(payload) <= $max_payload_bytes then try(decode(payload)) end as body
    from raw.orders
    where batch_key = $batch_key
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
            '{"order_id": "JSON", "customer_id": "JSON", "name": "JSON", "mobile": "JSON", "gender": "JSON",
              "age": "JSON", "income": "JSON", "purchase_date": "JSON", "purchase_amount": "JSON",
              "discount_amount": "JSON", "coupon_used": "JSON", "payment_method": "JSON", "product_category": "JSON"}'
        ) as event
    from documents
),
readings as (
    select
        *,
        event.order_id ->> '$' as order_id,
        event.customer_id ->> '$' as customer_id,
        try_cast(event.purchase_date ->> '$' as timestamptz) as purchase_instant,
        try_cast(event.purchase_amount::varchar as decimal(18, 2)) as purchase_amount,
        coalesce(try_cast(event.discount_amount::varchar as decimal(18, 2)), 0.00) as discount_amount,
        try_cast(event.coupon_used::varchar as boolean) as coupon_used,
        event.payment_method ->> '$' as payment_method,
        event.product_category ->> '$' as product_category
    from events
),
classified as (
    select
        * exclude (purchase_instant),
        purchase_instant at time zone 'UTC' as purchased_at,
        coalesce(
            is_plain_text(event.customer_id)
            and is_plain_time(event.purchase_date)
            and is_plain_amount(event.purchase_amount)
            and (event.discount_amount is null or is_plain_amount(event.discount_amount))
            and (event.order_id is null or is_plain_text(event.order_id))
            and (event.payment_method is null or is_plain_text(event.payment_method))
            and (event.product_category is null or is_plain_text(event.product_category))
            and (event.name is null or is_short_string(event.name))
            and (event.mobile is null or is_short_string(event.mobile))
            and (event.gender is null or is_short_string(event.gender))
            and (event.age is null or regexp_full_match(event.age::varchar, '[0-9]{1,2}'))
            and (event.income is null or regexp_full_match(event.income::varchar, '[0-9]{1,9}([.][0-9]{1,6})?'))
            and (event.coupon_used is null or event.coupon_used::varchar in ('true', 'false'))
            and (discount_amount = 0 or discount_amount between 0 and purchase_amount)
            and purchase_instant >= timestamptz '1990-01-01 00:00:00+00'
            and purchase_instant < timestamptz '2100-01-01 00:00:00+00'
            and coalesce(purchase_instant at time zone 'UTC' <= kafka_timestamp + interval 5 minutes, true),
            false
        ) as is_plain
    from readings
)
select * replace (case when not is_plain then event end as event)
from classified;
