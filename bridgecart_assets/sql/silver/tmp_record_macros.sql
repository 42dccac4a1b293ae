-- How a record is read: its texts, its instant, and whose it is.
-- needs: nothing
-- gives: text_of(), loses_digits(), with_quoted_numbers(), given_of(), iso_of(), instant_of(), forgotten_payload(),
--     json_of(), written_of(), scalar_of(), sender_of(), sent_at(), key_of(), order_key_of(), refund_key_of(),
--     customer_hash_of(), hash_of(), is_text(), is_number(), net_of(),
--     money_of(), number_of(), flag_of(), utc_of(), day_of(), latest_purchase()

-- A text without white space, control and other invisible characters around it; blank is NULL.
create or replace temp macro text_of(field) as
    nullif(regexp_replace(field ->> '$', '^[\s\pZ\p{Cc}\p{Cf}]+|[\s\pZ\p{Cc}\p{Cf}]+$', '', 'g'), '');

-- DuckDB reads a number with a point or an exponent as floating point: from the 16th digit on it may be another one.
create or replace temp macro loses_digits(body) as regexp_matches(
    body, ':\s*-?([0-9]{10,}[.]|[0-9]+[.][0-9]{7}|[0-9.]+[eE])'
);
-- With every number as a string, digit by digit. Strings are passed over; no JSON has the mark in it.
create or replace temp macro with_quoted_numbers(body) as replace(replace(regexp_replace(
    body, '("(?:[^"\\]|\\.)*")|(-?[0-9][0-9.eE+-]*)', '\1' || chr(1) || '\2' || chr(1), 'g'
), chr(1) || chr(1), ''), chr(1), '"');

-- What a field says, from itself and from how it is written. pandas writes NaN for what is missing, and 17850.0 for a
-- whole number in a column where one is.
create or replace temp macro given_of(field, written) as case
    when json_type(field) is distinct from 'DOUBLE' then text_of(field)
    when not regexp_full_match(field ->> '$', '-?nan', 'i') then regexp_replace(text_of(written), '[.]0+$', '') end;

-- A time as DuckDB reads it.
create or replace temp macro iso_of(text) as regexp_replace(regexp_replace(regexp_replace(regexp_replace(
    text, '^([0-9-]+)t', '\1T'), '(:[0-9]{2}),([0-9])', '\1.\2'), '(:[0-9.]+) ([+-])', '\1\2'), '([0-9]) ?[zZ]$', '\1Z');
-- DuckDB reads time zone offsets up to 99:99, while none is beyond 15:59; and no leap seconds, of which there are none
-- but at the end of a day.
create or replace temp macro instant_of(text) as case
    when regexp_matches(text, ':[0-9.]+ ?[+-](1[6-9]|[2-9][0-9]|[0-9]{2}:?[6-9]|[0-9]{2}:[0-9]{2}:)') then null
    when not regexp_matches(text, ':[0-9]{2}:60') then try_cast(iso_of(text) as timestamptz)
    when date_trunc('second', try_cast(iso_of(replace(text, ':60', ':59')) as timestamptz) at time zone 'UTC')::time
        = time '23:59:59' then try_cast(iso_of(replace(text, ':60', ':59')) as timestamptz) end;

-- An instant as it is stored, UTC without a zone, and the day of it by a calendar: `at time zone` says the same, and takes
-- ten times as long.
create or replace temp macro utc_of(instant) as make_timestamp(epoch_us(instant::timestamptz));
create or replace temp macro day_of(purchased_at, calendar) as case when calendar = 'UTC' then purchased_at::date
    else (make_timestamptz(epoch_us(purchased_at)) at time zone calendar)::date end;

-- Blank is as good as missing. A text may also come as a whole number, a number also as a string; nothing else
-- is guessed.
create or replace temp macro is_text(field, text) as json_type(field) = 'VARCHAR' or regexp_full_match(text, '-?[0-9]+');
create or replace temp macro is_number(text) as
    regexp_full_match(text, '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?');
-- Digits before an exponent that no decimal holds need the way round through floating point.
create or replace temp macro money_of(text) as case when is_number(text) then coalesce(
    try_cast(text as decimal(18, 2)),
    try_cast(try_cast(text as decimal(38, 2)) as decimal(18, 2)),
    try_cast(try_cast(text as double) as decimal(18, 2))
) end;
create or replace temp macro number_of(text) as case when is_number(text) then try_cast(text as decimal(18, 6)) end;
create or replace temp macro flag_of(text) as case lower(text)
    when 'true' then true when 'yes' then true when '1' then true
    when 'false' then false when 'no' then false when '0' then false end;

-- What counts as sales of an amount.
create or replace temp macro net_of(purchase_amount, discount_amount, amount_is_net) as
    (purchase_amount - case when amount_is_net then 0.00 else discount_amount end)::decimal(18, 2);

-- What stands in raw in place of the payload of a customer who was forgotten.
create or replace temp macro forgotten_payload() as '{"forgotten": true}'::blob;

-- Whose event a payload is and when it happened, whatever else is wrong with it; NULL where it does not say.
-- A JSON function raises on malformed text, and shows it: so it never gets any.
create or replace temp macro json_of(payload) as case when json_valid(try(decode(payload))) then try(decode(payload)) end;
create or replace temp macro written_of(body) as case when loses_digits(body) then with_quoted_numbers(body) else body end;
create or replace temp macro scalar_of(field, written) as
    case when json_type(field) not in ('OBJECT', 'ARRAY') then given_of(field, written) end;
create or replace temp macro sender_of(payload) as scalar_of(
    json_extract(json_of(payload), '$.customer_id'), json_extract(written_of(json_of(payload)), '$.customer_id')
);
create or replace temp macro sent_at(payload) as
    instant_of(text_of(json_extract(json_of(payload), '$.purchase_date'))) at time zone 'UTC';
-- The latest instant that an order may be dated: when its record was sent and when its batch was planned, by two clocks,
-- and five minutes by which they may differ. A batch that a person named tells no time.
create or replace temp macro latest_purchase(kafka_timestamp, batch_key) as
    least(kafka_timestamp, try_strptime(batch_key, '%Y%m%dT%H%M%SZ')) + interval 5 minutes;

-- A JSON list, so that no two different sets of fields read the same. Of bytes, because DuckDB reads a UUID's text slowly.
create or replace temp macro key_of(fields) as unhex(left(sha256(to_json(fields)), 32))::uuid;
create or replace temp macro order_key_of(
    is_void, order_id, customer_id, purchased_at, purchase_amount, payment_method, product_category
) as key_of(case
    -- Whoever it belongs to now: a later version may move it to another customer.
    when is_void is not null then [order_id]
    when order_id is not null and purchase_amount >= 0 then [customer_id, order_id]
    -- A refund that names its order is no copy of it; sent again it may have lost the fraction of its second.
    when order_id is not null
        then [customer_id, order_id, 'refund', date_trunc('second', purchased_at)::varchar, purchase_amount::varchar]
    else [customer_id, purchased_at::varchar, purchase_amount::varchar, payment_method, product_category]
end);
create or replace temp macro refund_key_of(order_key, number) as key_of([order_key::varchar, 'refund', number::varchar]);

-- Not a secret and not unique: whoever shares it is refreshed along.
create or replace temp macro customer_hash_of(customer_id) as ((md5_number(customer_id) >> 64) >> 1)::bigint;
create or replace temp macro hash_of(salt, customer_id) as sha256(salt || customer_id);
