-- Batches of the topic that were read by another mapping than that of now. Files have mappings of their own.
-- needs: raw.batches, silver.readings, $mapping
-- gives: rows

with of_topic as (
    select r.mapping
    from raw.batches b
    join silver.readings r using (batch_key)
    where not starts_with(b.topic_id, 'file:')
)
select
    mapping, count(*) as batches,
    format(
        '{} of {} batches were read {}, and it is {} now.',
        count(*), (select count(*) from of_topic),
        coalesce('by mapping ' || mapping[:12], 'as BridgeCart''s own event'),
        coalesce('mapping ' || $mapping[:12], 'BridgeCart''s own event')
    ) as says
from of_topic
where mapping is distinct from $mapping
group by mapping
order by mapping
