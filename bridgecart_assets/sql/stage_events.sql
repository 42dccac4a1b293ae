-- The records of one batch, read as events: every record ends in `accepted` or in `refused`.

-- Text and JSON are settled in tables of their own, because a JSON function raises on malformed text.
create temp table texts as
select
    topic_id, "partition", "offset", kafka_timestamp, payload, batch_key,
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
        when payload is null then 'tombstone'
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

-- A text field may come as a string or a whole number, a number also as a string; nothing else is guessed.
create temp macro is_text(field) as json_type(field) in ('VARCHAR', 'UBIGINT', 'BIGINT');
create temp macro is_number(field) as
    json_type(field) in ('UBIGINT', 'BIGINT', 'DOUBLE', 'HUGEINT', 'UHUGEINT', 'VARCHAR')
    and regexp_full_match(trim(field ->> '$'), '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?');
create temp macro text_of(field) as nullif(trim(field ->> '$', e' \t\r\n'), '');
create temp macro is_given(field) as field is not null and (json_type(field) <> 'VARCHAR' or text_of(field) is not null);
create temp macro money_of(field) as try_cast(trim(field ->> '$') as decimal(18, 2));
create temp table typed as
select
    * exclude (event),
    event.order_id as j_order_id,
    event.customer_id as j_customer_id,
    event.name as j_name,
    event.mobile as j_mobile,
    event.gender as j_gender,
    event.age as j_age,
    event.income as j_income,
    event.purchase_date as j_purchase_date,
    event.purchase_amount as j_purchase_amount,
    event.discount_amount as j_discount_amount,
    event.coupon_used as j_coupon_used,
    event.payment_method as j_payment_method,
    event.product_category as j_product_category,
    text_of(event.order_id) as order_id,
    text_of(event.customer_id) as customer_id,
    case when json_type(event.purchase_date) = 'VARCHAR'
        then try_cast(text_of(event.purchase_date) as timestamptz) end as purchase_instant,
    case when is_number(event.purchase_amount) then money_of(event.purchase_amount) end as purchase_amount,
    case when is_given(event.discount_amount)
        then case when is_number(event.discount_amount) then money_of(event.discount_amount) end
        else 0.00 end as discount_amount,
    case lower(text_of(event.coupon_used))
        when 'true' then true when 'yes' then true when '1' then true
        when 'false' then false when 'no' then false when '0' then false end as coupon_used,
    case when is_number(event.age) then try_cast(trim(event.age ->> '$') as decimal(18, 6)) end as age,
    case when is_number(event.income) then money_of(event.income) end as income
from fields;

create temp table judged as
select
    *,
    case when unreadable is not null then unreadable else nullif(concat_ws(',',
        case
            when not is_given(j_customer_id) then 'missing_customer_id'
            when not is_text(j_customer_id) then 'bad_customer_id'
            when length(customer_id) > 200 then 'out_of_range_customer_id'
        end,
        case
            when not is_given(j_purchase_date) then 'missing_purchase_date'
            when purchase_instant is null or not isfinite(purchase_instant) then 'bad_purchase_date'
            when purchase_instant < timestamptz '1990-01-01 00:00:00+00' then 'out_of_range_purchase_date'
            when purchase_instant at time zone 'UTC' > kafka_timestamp + interval 5 minutes
                then 'future_purchase_date'
            when purchase_instant >= timestamptz '2100-01-01 00:00:00+00' then 'out_of_range_purchase_date'
        end,
        case
            when not is_given(j_purchase_amount) then 'missing_purchase_amount'
            when not is_number(j_purchase_amount) then 'bad_purchase_amount'
            when purchase_amount is null or abs(purchase_amount) > 1000000000 then 'out_of_range_purchase_amount'
        end,
        case
            when not is_given(j_discount_amount) then null
            when not is_number(j_discount_amount) then 'bad_discount_amount'
            when discount_amount is null or abs(discount_amount) > 1000000000 then 'out_of_range_discount_amount'
            when discount_amount * sign(purchase_amount) < 0 then 'out_of_range_discount_amount'
            when not $amount_is_net and abs(discount_amount) > abs(purchase_amount)
                then 'out_of_range_discount_amount'
        end,
        case when is_given(j_coupon_used) and coupon_used is null then 'bad_coupon_used' end,
        case
            when not is_given(j_age) then null
            when not is_number(j_age) then 'bad_age'
            when age is null or age < 0 or age > 130 then 'out_of_range_age'
            when age <> floor(age) then 'bad_age'
        end,
        case
            when not is_given(j_income) then null
            when not is_number(j_income) then 'bad_income'
            when income is null or income < 0 or income > 1000000000000 then 'out_of_range_income'
        end,
        case when is_given(j_order_id) and not is_text(j_order_id) then 'bad_order_id'
            when length(order_id) > 200 then 'out_of_range_order_id' end,
        case when is_given(j_name) and not is_text(j_name) then 'bad_name'
            when length(text_of(j_name)) > 1000 then 'out_of_range_name' end,
        case when is_given(j_mobile) and not is_text(j_mobile) then 'bad_mobile'
            when length(text_of(j_mobile)) > 1000 then 'out_of_range_mobile' end,
        case when is_given(j_gender) and not is_text(j_gender) then 'bad_gender'
            when length(text_of(j_gender)) > 200 then 'out_of_range_gender' end,
        case when is_given(j_payment_method) and not is_text(j_payment_method) then 'bad_payment_method'
            when length(text_of(j_payment_method)) > 200 then 'out_of_range_payment_method' end,
        case when is_given(j_product_category) and not is_text(j_product_category) then 'bad_product_category'
            when length(text_of(j_product_category)) > 200 then 'out_of_range_product_category' end
    ), '') end as reasons
from typed;

create temp table refused as
select topic_id, "partition", "offset", kafka_timestamp, string_split(reasons, ',') as reasons, payload, batch_key
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
        coalesce(payment.canonical, text_of(j_payment_method)) as payment_method,
        coalesce(category.canonical, text_of(j_product_category)) as product_category,
        topic_id, "partition", "offset", kafka_timestamp, batch_key
    from judged
    left join spellings payment
        on payment.field = 'payment_method' and payment.letters = letters_of(text_of(j_payment_method))
    left join spellings category
        on category.field = 'product_category' and category.letters = letters_of(text_of(j_product_category))
    where reasons is null
)
select
    -- A JSON list, so that no two different sets of fields read the same.
    substr(sha256(to_json(case
        when order_id is not null then [order_id, purchased_at::varchar]
        else [customer_id, purchased_at::varchar, purchase_amount::varchar, payment_method, product_category]
    end)), 1, 32)::uuid as order_key,
    order_id, customer_id, purchased_at,
    case when purchase_amount < 0 then 'refund' when net_amount > 0 then 'purchase' else 'zero' end as order_kind,
    (net_amount + discount_amount)::decimal(18, 2) as gross_amount,
    discount_amount, net_amount, coupon_used, payment_method, product_category,
    topic_id, "partition", "offset", kafka_timestamp, batch_key
from cleaned;
