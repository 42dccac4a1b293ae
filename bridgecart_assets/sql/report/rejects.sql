-- Rejected records by reason. A record may have several reasons.
-- needs: silver.rejected_orders
-- gives: rows

select reason, count(*) as records
from (select unnest(reasons) as reason from silver.rejected_orders)
group by reason
order by records desc, reason
