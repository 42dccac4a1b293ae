-- Validity intervals of customers that end before they begin, or are current and have an end.
-- needs: scoped_segment_membership
-- gives: rows

select count(*) as intervals, min(customer_id) as for_example
from scoped_segment_membership
where valid_to <= valid_from or is_current <> (valid_to is null)
having count(*) > 0
