-- Every customer once a period, from the snapshot at its opening to the one at its close. What happened in between is
-- the difference of the two.
-- needs: summed_periods, summed_openings, summed_closes, $churn_window_days
-- gives: gold.segment_flows

with opening as (
    select p.period, p.closes_on, s.*
    from summed_periods p
    join summed_openings s on s.as_of = p.period
),
closing as (
    select p.period, p.closes_on, s.*
    from summed_periods p
    join summed_closes s on s.as_of = p.closes_on
),
pairs as (
    select
        coalesce(o.period, c.period) as period,
        coalesce(o.closes_on, c.closes_on) as closes_on,
        coalesce(o.segment_key, 'new') as opening_key,
        coalesce(c.segment_key, 'gone') as closing_key,
        o.net_sales as opening_clv, c.net_sales as closing_clv,
        o.predicted_clv as opening_predicted_clv, c.predicted_clv as closing_predicted_clv,
        c.orders - coalesce(o.orders, 0) as orders,
        c.zero_value_orders - coalesce(o.zero_value_orders, 0) as zero_value_orders,
        c.refunds - coalesce(o.refunds, 0) as refunds,
        c.purchase_sales - coalesce(o.purchase_sales, 0) as purchase_sales,
        c.net_sales - coalesce(o.net_sales, 0) as net_sales,
        coalesce(o.last_purchased_on >= o.as_of - $churn_window_days, false) as is_active,
        o.as_of - o.first_purchased_on >= $churn_window_days as is_old_enough,
        coalesce(o.next_purchased_on < o.as_of + $churn_window_days, false) as has_returned,
        o.churn_risk, o.in_hindsight
    from opening o
    full join closing c on c.period = o.period and c.customer_id = o.customer_id
)
select
    period, closes_on, opening_key, closing_key,
    count(*) as customers,
    coalesce(sum(opening_clv), 0) as opening_clv,
    coalesce(sum(closing_clv), 0) as closing_clv,
    coalesce(sum(opening_predicted_clv), 0) as opening_predicted_clv,
    count(opening_predicted_clv) as opening_predicted,
    coalesce(sum(closing_predicted_clv), 0) as closing_predicted_clv,
    count(closing_predicted_clv) as closing_predicted,
    count(*) filter (where orders + zero_value_orders + refunds > 0) as ordered,
    count(*) filter (where orders > 0) as bought,
    coalesce(sum(orders), 0) as orders,
    coalesce(sum(zero_value_orders), 0) as zero_value_orders,
    coalesce(sum(refunds), 0) as refunds,
    coalesce(sum(purchase_sales), 0) as purchase_sales,
    coalesce(sum(net_sales), 0) as net_sales,
    -- The share of the largest customer is no sum, but its bound is made of two.
    coalesce(sum(net_sales * net_sales), 0) as net_sales_square,
    count(*) filter (where is_active) as active,
    count(*) filter (where is_active and not has_returned) as silent,
    count(*) filter (where is_old_enough) as old_enough,
    count(*) filter (where is_old_enough and not is_active) as inactive,
    -- In fixed point, so that the sum does not depend on the order of the rows.
    coalesce(sum(churn_risk::decimal(18, 9)) filter (where is_active), 0) as churn_risk,
    count(churn_risk) filter (where is_active) as rated,
    count(in_hindsight) as scored,
    count(*) filter (where in_hindsight) as in_hindsight
from pairs
group by period, closes_on, opening_key, closing_key
