-- The snapshot as of now is the same as features and current segments.
-- needs: scoped_customer_snapshots, gold.customer_features, scoped_customer_features, scoped_customer_segments
-- gives: rows

with latest as (
    select * from scoped_customer_snapshots where as_of = (select max(as_of) from gold.customer_features)
)
select count(*) as customers_that_differ, min(coalesce(f.customer_id, s.customer_id)) as for_example
from scoped_customer_features f
join scoped_customer_segments g on g.customer_id = f.customer_id
full join latest s on s.customer_id = f.customer_id
where (f.net_sales, f.orders, f.frequency, f.last_purchased_on,
        g.{trait},
        g.segment_key, g.churn_risk, g.predicted_clv)
    is distinct from
    (s.net_sales, s.orders, s.frequency, s.last_purchased_on,
        s.{trait},
        s.segment_key, s.churn_risk, s.predicted_clv)
having count(*) > 0
