-- A record may have several reasons.
select reason, count(*) as records
from (select unnest(reasons) as reason from silver.rejected_orders)
group by reason
order by records desc, reason
