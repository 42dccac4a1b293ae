-- Customers of `listed` whom the warehouse has, as after it was put back from an older copy: `customers_to_erase` are
-- they, `erased_records` are their records. Only their hashes are listed; the ids are those in the records.
-- needs: sender_of(), text_of(), sent_at(), raw.orders, forgotten_payload(), listed, hash_of()
-- gives: senders, customers_to_erase, mentions(), erased_records

create temp table senders as
select
    topic_id, "partition", "offset", batch_key, key, headers, payload,
    sender_of(payload) as customer_id,
    coalesce(sender_of(payload), text_of(to_json(try(decode(key))))) as known_by,
    sent_at(payload) as sent_at
from raw.orders
where payload is distinct from forgotten_payload();

create temp table customers_to_erase as
select
    k.known_by as customer_id,
    l.customer_hash,
    l.forgotten_before,
    '(^|[^0-9A-Za-z]|\\x[0-9A-F]{2})' || regexp_escape(encode(k.known_by)::varchar) || '($|[^0-9A-Za-z])' as pattern
from (select distinct known_by from senders where known_by is not null) k
join listed l on l.customer_hash = hash_of(l.salt, k.known_by);

create temp macro mentions(content, pattern) as coalesce(regexp_matches(content::varchar, pattern), false);

create temp table erased_records as
select s.topic_id, s."partition", s."offset", s.batch_key
from senders s
join customers_to_erase l on l.customer_id = s.known_by
where coalesce(s.sent_at < l.forgotten_before, true)
union
select s.topic_id, s."partition", s."offset", s.batch_key
from senders s
join customers_to_erase l
    on mentions(s.payload, l.pattern) or mentions(s.key, l.pattern) or mentions(s.headers, l.pattern)
where s.customer_id is null;
