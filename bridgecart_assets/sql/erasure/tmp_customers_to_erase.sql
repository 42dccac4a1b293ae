-- The customers who want to be forgotten, by their ids.
-- needs: hash_of(), raw.forgotten_customers, text_of(), pattern_of(), $salt, $customer_ids
-- gives: customers_to_erase

create temp table customers_to_erase as
select
    place, customer_id,
    hash_of((select coalesce(min(salt), $salt) from raw.forgotten_customers), customer_id) as customer_hash,
    null::timestamp as forgotten_before,
    pattern_of(customer_id) as pattern
from (
    select
        generate_subscripts($customer_ids::varchar[], 1) as place,
        text_of(to_json(unnest($customer_ids))) as customer_id
);
