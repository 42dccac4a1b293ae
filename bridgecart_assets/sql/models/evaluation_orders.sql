-- A made-up world's orders as silver holds them. Only the Kafka coordinates are not those of any record.
-- needs: made, key_of(), customer_hash_of(), spellings, lookup_key_of()
-- gives: rows

with named as (
    select
        *,
        format(case when gross_cents < 0 then 'R{:09d}' else 'O{:09d}' end, number) as order_id,
        format('C{:07d}', customer + 1) as customer_id,
        make_timestamp_ms(ordered_ms) as purchased_at,
        gross_cents::decimal(18, 2) / 100 as gross,
        discount_cents::decimal(18, 2) / 100 as discount
    from made
)
select
    key_of(case
        when gross_cents >= 0 then [customer_id, order_id]
        else [
            customer_id, order_id, 'refund',
            date_trunc('second', purchased_at)::varchar, gross::decimal(18, 2)::varchar
        ]
    end) as order_key,
    order_id,
    customer_id,
    customer_hash_of(customer_id) as customer_hash,
    purchased_at,
    purchased_at::date as purchased_on,
    case when gross_cents < 0 then 'refund' else 'purchase' end as order_kind,
    gross::decimal(18, 2) as gross_amount,
    discount::decimal(18, 2) as discount_amount,
    gross::decimal(18, 2) - discount::decimal(18, 2) as net_amount,
    discount_cents > 0 as coupon_used,
    payment.canonical as payment_method,
    category.canonical as product_category,
    'made' as topic_id,
    0 as "partition",
    row_number() over () as "offset",
    purchased_at as kafka_timestamp,
    'made' as batch_key,
    1 as lines,
    0 as part
from named
join spellings payment
    on payment.field = 'payment_method' and payment.lookup_key = lookup_key_of(named.spelling::varchar)
join spellings category
    on category.field = 'product_category' and category.lookup_key = lookup_key_of(named.category::varchar)
