-- Whose the records of batches are that are read by a mapping: as silver has it, else as the mapping says.
-- needs: known_events, mapped_batches, said_of_records
-- gives: mapped_senders

create temp table mapped_senders as
select
    topic_id, "partition", "offset", batch_key, customer_id,
    purchased_at as sent_at,
    case when is_void is not null then order_id end as order_id
from known_events
semi join mapped_batches using (batch_key)
where customer_id is not null
union all
select
    topic_id, "partition", "offset", batch_key, customer_id,
    purchase_date at time zone 'UTC',
    case when is_void is not null then order_id end
from said_of_records;
