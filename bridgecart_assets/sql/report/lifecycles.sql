-- Customers who have bought and their value by segment and lifecycle. At risk is the predicted value of those at risk.
-- needs: customer_cells
-- gives: rows

select
    segment_key, lifecycle,
    sum(customers) as customers,
    sum(net_sales) as net_sales,
    sum(predicted_customers) as predicted_customers,
    sum(predicted_clv) as predicted_clv,
    case when lifecycle = 'at risk' then sum(predicted_clv) else 0 end as value_at_risk
from customer_cells
group by segment_key, lifecycle
order by segment_key, lifecycle
