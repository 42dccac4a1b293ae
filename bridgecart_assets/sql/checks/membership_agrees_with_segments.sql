-- Customers whose current membership is in another segment than they are. Who lacks either row is told by
-- membership_has_one_current_row.
-- needs: scoped_segment_membership, scoped_customer_segments
-- gives: rows

select count(*) as customers_that_differ, min(m.customer_id) as for_example
from scoped_segment_membership m
join scoped_customer_segments s on s.customer_id = m.customer_id
where m.is_current and m.segment_key <> s.segment_key
having count(*) > 0
