-- What the orders of each batch add up to, day by day, counted from the rows as they are stored.
-- needs: recounted_batches, silver.orders, silver.batch_sums, fingerprint_of()
-- gives: nothing
-- changes: silver.batch_sums

delete from silver.batch_sums where batch_key in (select batch_key from recounted_batches);

insert into silver.batch_sums
select
    batch_key, purchased_on,
    count(*) filter (where order_kind = 'purchase') as purchases,
    count(*) filter (where order_kind = 'zero') as zero_value_orders,
    count(*) filter (where order_kind = 'refund') as refunds,
    coalesce(sum(net_amount) filter (where order_kind = 'purchase'), 0) as purchase_sales,
    sum(net_amount) as net_sales,
    sum(fingerprint_of(customer_hash, net_amount, 1)) as fingerprint
from silver.orders
where batch_key in (select batch_key from recounted_batches)
group by batch_key, purchased_on;
