-- What the warehouse has of the customers who want to be forgotten: `customers_to_erase` are they, `erased_records` are
-- their records.
-- needs: hash_of(), raw.forgotten_customers, text_of(), sender_of(), raw.orders, forgotten_payload(), $salt,
--     $customer_ids
-- gives: customers_to_erase, senders, mentions(), records_to_erase, erased_records

create temp table customers_to_erase as
select
    place, customer_id,
    hash_of((select coalesce(min(salt), $salt) from raw.forgotten_customers), customer_id) as customer_hash,
    -- Bytes as text show quotes and what is no ASCII as \xFF. C1 is not to be found in C12.
    '(^|[^0-9A-Za-z]|\\x[0-9A-F]{2})' || regexp_escape(encode(customer_id)::varchar) || '($|[^0-9A-Za-z])' as pattern
from (
    select
        generate_subscripts($customer_ids::varchar[], 1) as place,
        text_of(to_json(unnest($customer_ids))) as customer_id
);

create temp table senders as
select *
from (
    select topic_id, "partition", "offset", batch_key, sender_of(payload) as customer_id
    from raw.orders
    where payload is distinct from forgotten_payload()
)
where customer_id is null or customer_id in (select customer_id from customers_to_erase);

-- Nobody can say what is in a record that cannot be read: it goes when it has the id anywhere.
create temp macro mentions(content, pattern) as coalesce(regexp_matches(content::varchar, pattern), false);

create temp table records_to_erase as
select l.place, s.* exclude (customer_id)
from senders s
join customers_to_erase l using (customer_id)
union all
select l.place, s.* exclude (customer_id)
from senders s
join raw.orders r using (topic_id, "partition", "offset")
join customers_to_erase l
    on mentions(r.payload, l.pattern) or mentions(r.key, l.pattern) or mentions(r.headers, l.pattern)
where s.customer_id is null;

create temp table erased_records as
select distinct topic_id, "partition", "offset", batch_key from records_to_erase;
