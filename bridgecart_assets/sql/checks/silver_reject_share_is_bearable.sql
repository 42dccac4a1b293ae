-- Erased records say nothing about the source.
with rejected as (
    select reasons from silver.rejected_orders where batch_key = $batch_key and reasons <> ['forgotten']
),
counted as (
    select
        (select count(*) from raw.orders where batch_key = $batch_key) as records,
        (select count(*) from rejected) as rejected
)
select reasons[1] as first_reason, count(*) as rejected, any_value(c.records) as records_in_batch
from rejected, counted c
where c.rejected > $error_reject_share * c.records
group by first_reason
order by rejected desc, first_reason
