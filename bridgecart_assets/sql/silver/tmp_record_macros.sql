-- How a record is read: its texts, its instant, and whose it is.
-- needs: nothing
-- gives: text_of(), instant_of(), forgotten_payload(), json_of(), scalar_of(), sender_of(), sent_at(),
--     customer_hash_of(), hash_of(), is_number(), money_of(), number_of(), flag_of(), latest_purchase()

-- A text without white space, control and other invisible characters around it; blank is NULL.
create or replace temp macro text_of(field) as
    nullif(regexp_replace(field ->> '$', '^[\s\pZ\p{Cc}\p{Cf}]+|[\s\pZ\p{Cc}\p{Cf}]+$', '', 'g'), '');

-- DuckDB reads time zone offsets up to 99:99, while none is beyond 15:59.
create or replace temp macro instant_of(text) as case
    when not regexp_matches(text, ':[0-9.]+ ?[+-](1[6-9]|[2-9][0-9]|[0-9]{2}:?[6-9]|[0-9]{2}:[0-9]{2}:)')
        then try_cast(text as timestamptz) end;

create or replace temp macro is_number(text) as
    regexp_full_match(text, '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?');
-- More digits before an exponent than the decimal holds need the way round through floating point.
create or replace temp macro money_of(text) as case when is_number(text)
    then coalesce(try_cast(text as decimal(18, 2)), try_cast(try_cast(text as double) as decimal(18, 2))) end;
create or replace temp macro number_of(text) as case when is_number(text) then try_cast(text as decimal(18, 6)) end;
create or replace temp macro flag_of(text) as case lower(text)
    when 'true' then true when 'yes' then true when '1' then true
    when 'false' then false when 'no' then false when '0' then false end;

-- What stands in raw in place of the payload of a customer who was forgotten.
create or replace temp macro forgotten_payload() as '{"forgotten": true}'::blob;

-- Whose event a payload is and when it happened, whatever else is wrong with it; NULL where it does not say.
-- A JSON function raises on malformed text, and shows it: so it never gets any.
create or replace temp macro json_of(payload) as case when json_valid(try(decode(payload))) then try(decode(payload)) end;
create or replace temp macro scalar_of(field) as case when json_type(field) not in ('OBJECT', 'ARRAY') then text_of(field) end;
create or replace temp macro sender_of(payload) as scalar_of(json_extract(json_of(payload), '$.customer_id'));
create or replace temp macro sent_at(payload) as
    instant_of(text_of(json_extract(json_of(payload), '$.purchase_date'))) at time zone 'UTC';
-- The latest instant that an order may be dated: when its record was sent and when its batch was planned, by two clocks,
-- and five minutes by which they may differ. A batch that a person named tells no time.
create or replace temp macro latest_purchase(kafka_timestamp, batch_key) as
    least(kafka_timestamp, try_strptime(batch_key, '%Y%m%dT%H%M%SZ')) + interval 5 minutes;

-- Not a secret and not unique: whoever shares it is refreshed along.
create or replace temp macro customer_hash_of(customer_id) as (md5_number_lower(customer_id) >> 1)::bigint;
create or replace temp macro hash_of(salt, customer_id) as sha256(salt || customer_id);
