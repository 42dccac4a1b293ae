-- Why optional fields of the batch's orders count as missing.
-- needs: silver.orders, $batch_key
-- gives: rows

select
    reason, count(*) as fields,
    format('{} field(s) count as missing for {}.', count(*), reason) as says
from (select unnest(ignored_fields) as reason from silver.orders where batch_key = $batch_key)
group by reason
order by fields desc, reason
