select
    t.as_of, t.customer_id, t.customer_hash, t.frequency, t.orders, t.zero_value_orders, t.refunds, t.purchase_sales, t.net_sales,
    t.first_purchased_on, t.last_purchased_on, t.has_returned,
    s.log_purchase_rate, s.log_spend, s.coupon_share,
    coalesce(s.segment_key, 'unassigned') as segment_key,
    s.version as model_version,
    s.p_alive, s.churn_risk, s.predicted_clv, s.in_hindsight
from snapshots t
left join scored s using (customer_id, as_of)
