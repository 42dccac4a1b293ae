-- Of the records that state attributes, those that are read by a mapping.
-- needs: stating_events, raw.orders, silver.readings
-- gives: rows for mapped_attributes

select r.topic_id, r."partition", r."offset", r.kafka_timestamp, r.batch_key, r.key, r.headers, r.payload
from raw.orders r
semi join (
    select batch_key, topic_id, "partition", "offset"
    from stating_events
    semi join (select batch_key from silver.readings where mapping is not null) using (batch_key)
) s on s.batch_key = r.batch_key and (s.topic_id, s."partition", s."offset") = (r.topic_id, r."partition", r."offset")
