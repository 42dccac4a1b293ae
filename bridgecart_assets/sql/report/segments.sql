-- The segments as they are now. Rounded, because the sums of doubles depend on the order of the rows.
with everybody as (
    select
        avg(log_purchase_rate) as rate, stddev_pop(log_purchase_rate) as rate_spread,
        avg(log_spend) as spend, stddev_pop(log_spend) as spend_spread,
        avg(coupon_share) as coupons, stddev_pop(coupon_share) as coupons_spread,
        sum(predicted_clv) as predicted_clv, sum(net_sales) as net_sales, count(*) as customers
    from gold.customer_segments
)
select
    s.segment_key,
    any_value(s.segment) as segment,
    count(*) as customers,
    round(count(*)::double / any_value(e.customers), 6) as share_of_customers,
    sum(s.net_sales) as net_sales,
    round(sum(s.net_sales)::double / nullif(any_value(e.net_sales), 0)::double, 6) as share_of_sales,
    sum(s.predicted_clv) as predicted_clv,
    round(sum(s.predicted_clv)::double / nullif(any_value(e.predicted_clv), 0)::double, 6) as share_of_predicted_clv,
    round(sum(s.net_sales)::double / count(*), 2) as mean_clv,
    round(sum(s.predicted_clv)::double / nullif(count(s.predicted_clv), 0), 2) as mean_predicted_clv,
    round(avg(s.churn_risk), 4) as mean_churn_risk,
    round(exp(avg(s.log_purchase_rate)) * 365 / 7, 2) as purchase_days_a_year,
    round(exp(avg(s.log_spend)), 2) as spend_a_day,
    round(avg(s.coupon_share), 4) as coupon_share,
    round((avg(s.log_purchase_rate) - any_value(e.rate)) / nullif(any_value(e.rate_spread), 0), 3) as apart_purchases,
    round((avg(s.log_spend) - any_value(e.spend)) / nullif(any_value(e.spend_spread), 0), 3) as apart_spend,
    round((avg(s.coupon_share) - any_value(e.coupons)) / nullif(any_value(e.coupons_spread), 0), 3) as apart_coupons,
    round(count(*) filter (where s.ambiguous)::double / count(*), 4) as ambiguous_share
from gold.customer_segments s
cross join everybody e
group by s.segment_key
order by s.segment_key
