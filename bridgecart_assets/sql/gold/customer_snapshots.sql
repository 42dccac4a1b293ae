-- Every customer as of each period opening and as of now, with the segment and the predictions of that date: a view of the
-- openings and of the customers as they are.
-- needs: gold.customer_openings, gold.customer_totals, gold.customer_scores
-- gives: gold.customer_snapshots

from gold.customer_openings
union all by name
select
    s.as_of, s.customer_id, s.customer_hash, t.frequency, t.orders, t.zero_value_orders, t.refunds, t.purchase_sales,
    t.net_sales, t.first_purchased_on, t.last_purchased_on,
    s.{trait},
    s.segment_key, s.model_version, s.p_alive, s.churn_risk, s.predicted_clv, s.in_hindsight, s.expected_window_sales
from gold.customer_scores s
join gold.customer_totals t on t.customer_hash = s.customer_hash and t.customer_id = s.customer_id
