-- Days on which the orders of the batch add up to something else than silver.batch_sums says; without $batch_key, and
-- where not only changes are looked at, of every batch.
-- needs: silver.orders, silver.batch_sums, fingerprint_of(), $batch_key, $only_changes
-- gives: rows

with stored as (
    select
        batch_key, purchased_on,
        count(*) filter (where order_kind = 'purchase') as purchases,
        count(*) filter (where order_kind = 'zero') as zero_value_orders,
        count(*) filter (where order_kind = 'refund') as refunds,
        coalesce(sum(net_amount) filter (where order_kind = 'purchase'), 0) as purchase_sales,
        sum(net_amount) as net_sales,
        sum(fingerprint_of(customer_hash, net_amount, 1)) as fingerprint
    from silver.orders
    where batch_key = $batch_key or ($batch_key is null and not $only_changes)
    group by batch_key, purchased_on
),
counted as (
    select * from silver.batch_sums
    where batch_key = $batch_key or ($batch_key is null and not $only_changes)
)
select batch_key, purchased_on, s.net_sales as sales_of_orders, c.net_sales as sales_of_batch
from stored s
full join counted c using (batch_key, purchased_on)
where (s.purchases, s.zero_value_orders, s.refunds, s.purchase_sales, s.net_sales, s.fingerprint)
    is distinct from (c.purchases, c.zero_value_orders, c.refunds, c.purchase_sales, c.net_sales, c.fingerprint)
order by batch_key, purchased_on
