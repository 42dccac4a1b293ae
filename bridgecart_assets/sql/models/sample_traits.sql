-- Customers for a fit of the segment model, with their traits under one version of the purchase model, and what tells
-- whether a trait says anything here: the customer's own figure, and how far such a figure can be relied on.
-- needs: log_purchase_rate_of(), weeks_between(), log_spend_of(), coupon_share_of(), gold.customer_features,
--     gold.purchase_model, coupon_spread, is_sampled(), $purchase_version, $fitted_customers
-- gives: rows for gold.segment_model

select
    f.customer_id, f.as_of, f.net_sales::double as net_sales, f.largest_spend::double as largest_spend,
    {formula} as {trait},
    ({own})::double as own_{trait},
    coalesce({reliability}, 0)::double as reliability_{trait},
from (select *, weeks_between(first_purchased_on, as_of - 1) as weeks from gold.customer_features) f
join gold.purchase_model p on p.version = $purchase_version
cross join coupon_spread
where f.frequency > 0 and is_sampled(f.customer_hash)
order by f.customer_hash, f.customer_id
limit $fitted_customers
