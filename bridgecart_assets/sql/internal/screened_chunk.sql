-- A chunk of records, those of forgotten customers without what they said. A record that does not say whose it is may
-- be known by its key; one that was erased in this place before stays erased, whatever it was known by. Where a mapping
-- reads the batch, it alone says whose a record is; of one that names nobody, as a deletion, any value in it that is an id.
-- needs: sender_of(), text_of(), sent_at(), json_of(), chunk, said_of_chunk, hash_of(), raw.forgotten_customers,
--     erased_before, forgotten_payload()
-- gives: rows

with mentioned as (
    select n."partition", n."offset", arg_max(f.customer_hash, f.forgotten_before) as customer_hash
    from (
        select s."partition", s."offset", json_of(c.payload) as body
        from chunk c
        join said_of_chunk s using ("partition", "offset")
        where s.customer_id is null
    ) n, json_tree(n.body) as inside
    join raw.forgotten_customers f on f.customer_hash = hash_of(f.salt, inside.atom ->> '$')
    group by all
),
senders as (
    select
        c.*,
        case when s."offset" is null then coalesce(sender_of(c.payload), text_of(to_json(try(decode(c.key)))))
            else s.customer_id end as customer_id,
        case
            when s."offset" is null then sent_at(c.payload)
            when s.customer_id is null then c.kafka_timestamp at time zone 'UTC'
            else s.purchase_date at time zone 'UTC'
        end as sent_at,
        m.customer_hash as mentioned_hash
    from chunk c
    left join said_of_chunk s using ("partition", "offset")
    left join mentioned m using ("partition", "offset")
),
hashed as (
    select
        * exclude (mentioned_hash),
        coalesce(hash_of((select min(salt) from raw.forgotten_customers), customer_id), mentioned_hash) as customer_hash
    from senders
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
