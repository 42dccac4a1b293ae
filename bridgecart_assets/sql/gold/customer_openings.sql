-- Customers as of each period opening.
-- needs: made_timeline, periods
-- gives: gold.customer_openings
-- through: gold/tmp_snapshots, gold/tmp_timeline

select * exclude (side, next_purchased_on)
from made_timeline
where as_of in (select period from periods)
