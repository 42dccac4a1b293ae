-- The customers of segments, or of all, with what a campaign would ask for. Names and numbers to call are in
-- silver.customers only.
-- needs: gold.customer_segments, gold.customer_features, $segments
-- gives: rows

select
    s.customer_id, s.segment_key, s.segment, s.lifecycle,
    f.frequency, f.orders, s.net_sales, f.average_order_value::decimal(18, 2) as average_order_value,
    f.first_purchased_on, f.last_purchased_on, f.top_category,
    s.predicted_clv, s.churn_risk, s.p_alive, s.confidence, s.as_of
from gold.customer_segments s
join gold.customer_features f using (customer_id)
where $segments is null or list_contains($segments::varchar[], s.segment_key)
order by s.customer_id
