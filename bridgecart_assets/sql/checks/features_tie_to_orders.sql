-- What all customers are worth and have ordered must be what the orders before the as-of date add up to, to the cent, and
-- be theirs: the fingerprint is another where two customers are taken for each other.
-- needs: gold.customer_features, silver.batch_sums, fingerprint_of(), $as_of
-- gives: rows

with features as (
    select
        coalesce(sum(net_sales), 0) as net_sales, coalesce(sum(purchase_sales), 0) as purchase_sales,
        coalesce(sum(orders), 0) as purchases, coalesce(sum(zero_value_orders), 0) as zero_value_orders,
        coalesce(sum(refunds), 0) as refunds,
        coalesce(sum(fingerprint_of(customer_hash, net_sales, orders + zero_value_orders + refunds)), 0) as fingerprint
    from gold.customer_features
),
batches as (
    select
        coalesce(sum(net_sales), 0) as net_sales, coalesce(sum(purchase_sales), 0) as purchase_sales,
        coalesce(sum(purchases), 0) as purchases, coalesce(sum(zero_value_orders), 0) as zero_value_orders,
        coalesce(sum(refunds), 0) as refunds, coalesce(sum(fingerprint), 0) as fingerprint
    from silver.batch_sums
    where coalesce(purchased_on < $as_of::date, true)
)
select
    f.net_sales as feature_sales, b.net_sales as order_sales, f.purchases as feature_purchases, b.purchases,
    f.purchase_sales as feature_purchase_sales, b.purchase_sales,
    f.zero_value_orders + f.refunds as feature_others, b.zero_value_orders + b.refunds as others,
    f.fingerprint = b.fingerprint as are_the_same_customers
from features f, batches b
where (f.net_sales, f.purchase_sales, f.purchases, f.zero_value_orders, f.refunds, f.fingerprint)
    is distinct from (b.net_sales, b.purchase_sales, b.purchases, b.zero_value_orders, b.refunds, b.fingerprint)
