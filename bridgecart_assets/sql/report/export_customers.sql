-- The customers of an audience, with what a campaign would ask for. Names and numbers to call are in silver.customers
-- only.
-- needs: gold.audiences, gold.customer_segments, gold.customer_features, $segments, $lifecycles, $at_risk, $top
-- gives: rows

select
    a.customer_id, a.hashed_id, a.segment_key, a.segment, a.lifecycle,
    f.frequency, f.orders, a.net_sales, f.average_order_value::decimal(18, 2) as average_order_value,
    f.first_purchased_on, f.last_purchased_on, f.top_category,
    a.predicted_clv, s.churn_risk, s.p_alive, s.confidence, a.as_of, a.value_at_risk, a.value_rank
from gold.audiences a
join gold.customer_segments s using (customer_id)
join gold.customer_features f using (customer_id)
where ($segments is null or list_contains($segments::varchar[], a.segment_key))
    and ($lifecycles is null or list_contains($lifecycles::varchar[], a.lifecycle))
    and (a.at_risk or not $at_risk)
order by a.value_rank
limit $top
