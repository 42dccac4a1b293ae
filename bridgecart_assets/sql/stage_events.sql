-- The records of one batch, read as events: every record ends in `accepted` or in `refused`.

-- Text and JSON are settled in tables of their own, because a JSON function raises on malformed text.
-- The payload itself stays where it is: records of 10 MB copied from table to table would fill the memory.
create temp table texts as
select
    topic_id, "partition", "offset", kafka_timestamp, batch_key,
    payload is null as is_tombstone,
    coalesce(payload = forgotten_payload(), false) as is_forgotten,
    coalesce(octet_length(payload) > $max_payload_bytes, false) as is_oversized,
    case when octet_length(payload) <= $max_payload_bytes then try(decode(payload)) end as body
from raw.orders
where batch_key = $batch_key;

create temp table documents as
select *, case when json_valid(body) then body::json end as document
from texts;

create temp table fields as
select
    * exclude (document, body),
    case
        when is_forgotten then 'forgotten'
        when is_tombstone then 'tombstone'
        when is_oversized then 'oversized'
        when body is null then 'not_utf8'
        when document is null then 'not_json'
        when json_type(document) <> 'OBJECT' then 'not_object'
    end as unreadable,
    json_transform(
        case when json_type(document) = 'OBJECT' then document end,
        '{"order_id": "JSON", "customer_id": "JSON", "name": "JSON", "mobile": "JSON", "gender": "JSON",
          "age": "JSON", "income": "JSON", "purchase_date": "JSON", "purchase_amount": "JSON",
          "discount_amount": "JSON", "coupon_used": "JSON", "payment_method": "JSON", "product_category": "JSON"}'
    ) as event
from documents;

-- Blank is as good as missing. A text may also come as a whole number, a number also as a string; nothing else
-- is guessed.
create temp macro is_text(field, text) as json_type(field) = 'VARCHAR' or regexp_full_match(text, '-?[0-9]+');
create temp macro is_number(text) as
    regexp_full_match(text, '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?');
-- More digits before an exponent than the decimal holds need the way round through floating point.
create temp macro money_of(text) as case when is_number(text)
    then coalesce(try_cast(text as decimal(18, 2)), try_cast(try_cast(text as double) as decimal(18, 2))) end;

create temp table worded as
select
    *,
    text_of(event.order_id) as order_id,
    text_of(event.customer_id) as customer_id,
    text_of(event.name) as name,
    text_of(event.mobile) as mobile,
    text_of(event.gender) as gender,
    text_of(event.payment_method) as payment_method,
    text_of(event.product_category) as product_category,
    text_of(event.age) as given_age,
    text_of(event.income) as given_income,
    text_of(event.purchase_date) as given_date,
    text_of(event.purchase_amount) as given_amount,
    text_of(event.discount_amount) as given_discount,
    text_of(event.coupon_used) as given_coupon
from fields;

create temp table typed as
select
    *,
    instant_of(given_date) as purchase_instant,
    money_of(given_amount) as purchase_amount,
    case when given_discount is null then 0.00 else money_of(given_discount) end as discount_amount,
    money_of(given_income) as income,
    case when is_number(given_age) then try_cast(given_age as decimal(18, 6)) end as age,
    case lower(given_coupon)
        when 'true' then true when 'yes' then true when '1' then true
        when 'false' then false when 'no' then false when '0' then false end as coupon_used
from worded;

create temp table judged as
select
    *,
    case when unreadable is not null then unreadable else nullif(concat_ws(',',
        case
            when customer_id is null then 'missing_customer_id'
            when not is_text(event.customer_id, customer_id) then 'bad_customer_id'
            when length(customer_id) > 200 then 'out_of_range_customer_id'
        end,
        case
            when given_date is null then 'missing_purchase_date'
            when purchase_instant is null or not isfinite(purchase_instant) then 'bad_purchase_date'
            when purchase_instant < timestamptz '1990-01-01 00:00:00+00' then 'out_of_range_purchase_date'
            when purchase_instant at time zone 'UTC' > kafka_timestamp + interval 5 minutes
                then 'future_purchase_date'
            when purchase_instant >= timestamptz '2100-01-01 00:00:00+00' then 'out_of_range_purchase_date'
        end,
        case
            when given_amount is null then 'missing_purchase_amount'
            when not is_number(given_amount) then 'bad_purchase_amount'
            when purchase_amount is null or abs(purchase_amount) > 1000000000 then 'out_of_range_purchase_amount'
        end,
        case
            when given_discount is null then null
            when not is_number(given_discount) then 'bad_discount_amount'
            when discount_amount is null or abs(discount_amount) > 1000000000 then 'out_of_range_discount_amount'
            when (discount_amount < 0 and purchase_amount >= 0) or (discount_amount > 0 and purchase_amount < 0)
                then 'out_of_range_discount_amount'
            when not $amount_is_net and abs(discount_amount) > abs(purchase_amount)
                then 'out_of_range_discount_amount'
        end,
        case when given_coupon is not null and coupon_used is null then 'bad_coupon_used' end,
        case
            when given_age is null then null
            when not is_number(given_age) then 'bad_age'
            when age is null or age < 0 or age > 130 then 'out_of_range_age'
            when age <> floor(age) then 'bad_age'
        end,
        case
            when given_income is null then null
            when not is_number(given_income) then 'bad_income'
            when income is null or income < 0 or income > 1000000000000 then 'out_of_range_income'
        end,
        case
            when not is_text(event.order_id, order_id) then 'bad_order_id'
            when length(order_id) > 200 then 'out_of_range_order_id'
        end,
        case
            when not is_text(event.name, name) then 'bad_name'
            when length(name) > 1000 then 'out_of_range_name'
        end,
        case
            when not is_text(event.mobile, mobile) then 'bad_mobile'
            when length(mobile) > 1000 then 'out_of_range_mobile'
        end,
        case
            when not is_text(event.gender, gender) then 'bad_gender'
            when length(gender) > 200 then 'out_of_range_gender'
        end,
        case
            when not is_text(event.payment_method, payment_method) then 'bad_payment_method'
            when length(payment_method) > 200 then 'out_of_range_payment_method'
        end,
        case
            when not is_text(event.product_category, product_category) then 'bad_product_category'
            when length(product_category) > 200 then 'out_of_range_product_category'
        end
    ), '') end as reasons
from typed;

create temp table refused as
select topic_id, "partition", "offset", kafka_timestamp, string_split(reasons, ',') as reasons, batch_key
from judged
where reasons is not null;

create temp table accepted as
with cleaned as (
    select
        order_id,
        customer_id,
        purchase_instant at time zone 'UTC' as purchased_at,
        purchase_amount,
        discount_amount,
        (purchase_amount - case when $amount_is_net then 0.00 else discount_amount end)::decimal(18, 2) as net_amount,
        coupon_used,
        coalesce(payment.canonical, judged.payment_method) as payment_method,
        coalesce(category.canonical, judged.product_category) as product_category,
        topic_id, "partition", "offset", kafka_timestamp, batch_key
    from judged
    left join spellings payment
        on payment.field = 'payment_method' and payment.letters = letters_of(judged.payment_method)
    left join spellings category
        on category.field = 'product_category' and category.letters = letters_of(judged.product_category)
    where reasons is null
)
select
    -- A JSON list, so that no two different sets of fields read the same.
    substr(sha256(to_json(case
        when order_id is not null then [order_id, purchased_at::varchar]
        else [customer_id, purchased_at::varchar, purchase_amount::varchar, payment_method, product_category]
    end)), 1, 32)::uuid as order_key,
    order_id, customer_id, customer_hash_of(customer_id) as customer_hash, purchased_at,
    case when purchase_amount < 0 then 'refund' when net_amount > 0 then 'purchase' else 'zero' end as order_kind,
    (net_amount + discount_amount)::decimal(18, 2) as gross_amount,
    discount_amount, net_amount, coupon_used, payment_method, product_category,
    topic_id, "partition", "offset", kafka_timestamp, batch_key
from cleaned;
