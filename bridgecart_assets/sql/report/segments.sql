-- The segments as they are now. What they did (`segment_facts`) is counted from the orders; `apart_...` are the model's
-- traits, drawn towards the mean of all customers. Rounded, because the sums of doubles depend on the order of the
-- rows.
-- needs: gold.customer_segments, gold.customer_features, segment_facts, $churn_window_days
-- gives: rows

with everybody as (
    select
        avg({trait}) as {trait}_mean, stddev_pop({trait}) as {trait}_spread,
        sum(predicted_clv) as predicted_clv, sum(net_sales) as net_sales, count(*) as customers
    from gold.customer_segments
),
segments as (
    select
        s.segment_key,
        any_value(s.segment) as segment,
        count(*) as customers,
        round(count(*)::double / any_value(e.customers), 6) as share_of_customers,
        sum(s.net_sales) as net_sales,
        round(sum(s.net_sales)::double / nullif(any_value(e.net_sales), 0)::double, 6) as share_of_sales,
        case when sum(s.net_sales) > 0 then round(max(s.net_sales)::double / sum(s.net_sales)::double, 6) end
            as largest_customer_share,
        sum(s.predicted_clv) as predicted_clv,
        round(sum(s.predicted_clv)::double / nullif(any_value(e.predicted_clv), 0)::double, 6) as share_of_predicted_clv,
        round(sum(s.net_sales)::double / count(*), 2) as mean_clv,
        round(sum(s.predicted_clv)::double / nullif(count(s.predicted_clv), 0), 2) as mean_predicted_clv,
        count(s.predicted_clv) as predicted_customers,
        round(avg(s.churn_risk), 6) as mean_churn_risk,
        round(avg(s.churn_risk) filter (where f.last_purchased_on >= s.as_of - $churn_window_days), 6) as active_churn_risk,
        -- A zero has no sign, in whatever order DuckDB adds up.
        round((avg(s.{trait}) - any_value(e.{trait}_mean)) / nullif(any_value(e.{trait}_spread), 0), 3) + 0.0 as apart_{short},
        round(count(*) filter (where s.ambiguous)::double / count(*), 6) as ambiguous_share
    from gold.customer_segments s
    join gold.customer_features f using (customer_hash, customer_id)
    cross join everybody e
    group by s.segment_key
)
select s.*, f.* exclude (segment_key)
from segments s
left join segment_facts f using (segment_key)
order by s.segment_key
