-- Validity intervals of customers that end before they begin.
-- needs: scoped_segment_intervals
-- gives: rows

select count(*) as intervals, min(customer_id) as for_example
from scoped_segment_intervals
where valid_to <= valid_from
having count(*) > 0
