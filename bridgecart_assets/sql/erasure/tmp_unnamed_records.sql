-- The records of batches that are read by a mapping whose senders silver does not know.
-- needs: raw.orders, mapped_batches, known_events, forgotten_payload()
-- gives: rows for said_of_records

select r.topic_id, r."partition", r."offset", r.kafka_timestamp, r.batch_key, r.key, r.headers, r.payload
from raw.orders r
semi join mapped_batches using (batch_key)
anti join (select * from known_events where customer_id is not null) k
    on k.batch_key = r.batch_key and (k.topic_id, k."partition", k."offset") = (r.topic_id, r."partition", r."offset")
where r.payload is distinct from forgotten_payload()
