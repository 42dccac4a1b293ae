-- Whose each record is, and when it was sent: by what it says, or by the mapping that its batch was read by. `known_by` is
-- the key of an event of BridgeCart's own that does not say whose it is. The order is that of a state of an order: then
-- the others of the order may say whose it is.
-- needs: sender_of(), text_of(), sent_at(), raw.orders, forgotten_payload(), mapped_batches, mapped_senders
-- gives: senders

create temp view senders as
select
    topic_id, "partition", "offset", batch_key,
    sender_of(payload) as customer_id,
    coalesce(sender_of(payload), text_of(to_json(try(decode(key))))) as known_by,
    sent_at(payload) as sent_at,
    null::varchar as order_id
from raw.orders
where payload is distinct from forgotten_payload() and batch_key not in (select batch_key from mapped_batches)
union all by name
select *, customer_id as known_by from mapped_senders;
