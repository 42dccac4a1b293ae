-- Customers for a fit of the segment model, with their traits under one version of the purchase model.
select
    f.customer_id, f.as_of, f.net_sales::double as net_sales,
    log_purchase_rate_of(f.frequency, weeks_between(f.first_purchased_on, f.as_of - 1), p.r, p.alpha)
        as log_purchase_rate,
    log_spend_of(
        f.frequency, f.log_spend_sum, p.log_spend_mean, p.log_spend_variance_within, p.log_spend_variance_between
    ) as log_spend,
    coupon_share_of(f.orders, f.coupon_orders, p.coupon_share_mean) as coupon_share
from gold.customer_features f
join gold.purchase_model p on p.version = $purchase_version
where f.frequency > 0 and is_sampled(
    f.customer_hash, (select count(*) from gold.customer_features where frequency > 0), $fitted_customers
)
order by f.customer_hash, f.customer_id
limit $fitted_customers
