-- Why the batch's records were refused. Erased records say nothing about the source.
-- needs: silver.rejected_orders, $batch_key
-- gives: rows

select
    reasons[1] as first_reason, count(*) as rejected,
    format('{} record(s) were rejected for {}.', count(*), first_reason) as says
from silver.rejected_orders
where batch_key = $batch_key and reasons <> ['forgotten']
group by first_reason
order by rejected desc, first_reason
