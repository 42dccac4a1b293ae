-- A chunk of records, those of forgotten customers without what they said. A record that does not say whose it is may
-- be known by its key; one that was erased in this place before stays erased, whatever it was known by. Where a mapping
-- reads the batch, it alone says whose a record is.
-- needs: sender_of(), text_of(), sent_at(), chunk, said_of_chunk, hash_of(), raw.forgotten_customers, erased_before,
--     forgotten_payload()
-- gives: rows

with senders as (
    select
        c.*,
        case when s."offset" is null then coalesce(sender_of(c.payload), text_of(to_json(try(decode(c.key)))))
            else s.customer_id end as customer_id,
        case when s."offset" is null then sent_at(c.payload) else s.purchase_date at time zone 'UTC' end as sent_at
    from chunk c
    left join said_of_chunk s using ("partition", "offset")
),
hashed as (
    select *, hash_of((select min(salt) from raw.forgotten_customers), customer_id) as customer_hash from senders
),
screened as (
    select
        h.*,
        coalesce(h.sent_at < f.forgotten_before, f.customer_hash is not null) or e."offset" is not null as is_forgotten
    from hashed h
    left join raw.forgotten_customers f using (customer_hash)
    left join erased_before e on e."partition" = h."partition" and e."offset" = h."offset"
)
select
    "partition", "offset", kafka_timestamp, timestamp_type,
    case when not is_forgotten then key end as key,
    case when not is_forgotten then headers end as headers,
    case when is_forgotten then forgotten_payload() else payload end as payload
from screened
