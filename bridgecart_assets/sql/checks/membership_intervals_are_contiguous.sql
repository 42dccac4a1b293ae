-- A customer's interval ends on the day on which the next one begins, in another segment.
-- needs: scoped_segment_intervals
-- gives: rows

with followed as (
    select
        customer_id, segment_key, valid_to,
        lead(valid_from) over intervals as next_from,
        lead(segment_key) over intervals as next_key
    from scoped_segment_intervals
    window intervals as (partition by customer_id order by valid_from, valid_to)
)
select count(*) as intervals, min(customer_id) as for_example
from followed
where next_from is not null and (valid_to is distinct from next_from or next_key = segment_key)
having count(*) > 0
