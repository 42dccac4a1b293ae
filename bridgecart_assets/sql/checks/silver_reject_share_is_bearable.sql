with counted as (
    select
        (select count(*) from raw.orders where batch_key = $batch_key) as records,
        (select count(*) from silver.rejected_orders where batch_key = $batch_key) as rejected
)
select reasons[1] as first_reason, count(*) as rejected, any_value(c.records) as records_in_batch
from silver.rejected_orders, counted c
where batch_key = $batch_key and c.rejected > $error_reject_share * c.records
group by first_reason
order by rejected desc, first_reason
