-- Why records of the batch were refused; a record may have several reasons.
-- needs: silver.rejected_orders, $batch_key
-- gives: rows

select reason, count(*) as records
from (select unnest(reasons) as reason from silver.rejected_orders where batch_key = $batch_key)
group by reason
order by records desc, reason
