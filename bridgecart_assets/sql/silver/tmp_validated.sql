-- The event contract: what a record must be to count as an order, and the reasons where it is not. This is the
-- definition; records that are plainly right by it do not take this way (silver/tmp_fields).

-- Blank is as good as missing. A text may also come as a whole number, a number also as a string; nothing else
-- is guessed.
create temp macro is_text(field, text) as json_type(field) = 'VARCHAR' or regexp_full_match(text, '-?[0-9]+');
create temp macro is_number(text) as
    regexp_full_match(text, '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?');
-- More digits before an exponent than the decimal holds need the way round through floating point.
create temp macro money_of(text) as case when is_number(text)
    then coalesce(try_cast(text as decimal(18, 2)), try_cast(try_cast(text as double) as decimal(18, 2))) end;

create temp table normalized as
select
    topic_id, "partition", "offset", kafka_timestamp, batch_key, unreadable, event,
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
from fields
where not is_plain;

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
from normalized;

create temp table validated as
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
            -- Seconds where Kafka expects milliseconds: not the order is dated wrongly, but its record.
            when kafka_timestamp < timestamp '1990-01-01' then 'bad_kafka_timestamp'
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
