-- Customers silent for longer than the churn window, and those of them who are not dormant, because fewer days of the shop's
-- season have passed.
-- needs: gold.customer_segments, gold.customer_features, $churn_window_days
-- gives: rows

select count(*) as customers, count(*) filter (where s.lifecycle <> 'dormant') as waiting
from gold.customer_segments s
join gold.customer_features f using (customer_hash, customer_id)
where f.recency_days > $churn_window_days
having count(*) > 0
