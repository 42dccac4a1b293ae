-- Customers as of some dates, each with the segment and the predictions of that date. Of changes a row is on one side:
-- before them or after them.
-- needs: scored
-- gives: timeline

create or replace temp view timeline as
select
    s.side, s.as_of, s.customer_id, s.customer_hash, s.frequency, s.orders, s.zero_value_orders, s.refunds,
    s.purchase_sales, s.net_sales, s.first_purchased_on, s.last_purchased_on, s.next_purchased_on,
    s.{trait},
    coalesce(s.segment_key, 'unassigned') as segment_key,
    s.version as model_version,
    s.p_alive, s.churn_risk, s.predicted_clv, s.in_hindsight, s.expected_window_sales
from scored s;
