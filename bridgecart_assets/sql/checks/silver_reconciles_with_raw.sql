-- A batch whose records are not all an order, a duplicate or rejected.
-- needs: raw.orders, silver.orders, silver.duplicate_orders, silver.rejected_orders, $batch_key
-- gives: rows

with counted as (
    select
        (select count(*) from raw.orders where batch_key = $batch_key) as raw,
        (select count(*) from silver.orders where batch_key = $batch_key) as orders,
        (select count(*) from silver.duplicate_orders where batch_key = $batch_key) as duplicates,
        (select count(*) from silver.rejected_orders where batch_key = $batch_key) as rejected
)
select $batch_key as batch_key, *
from counted
where raw <> orders + duplicates + rejected
