-- The opening since which it is counted who bought again: the latest that is a churn window ago, or none.
-- needs: gold.customer_segments, kpi.clv_growth, $churn_window_days
-- gives: reference_opening

create or replace temp table reference_opening as
select as_of, max(period) filter (where period <= as_of - $churn_window_days) as opened_on, as_of - opened_on as days
from (select max(as_of) as as_of from gold.customer_segments)
cross join (select distinct period from kpi.clv_growth)
group by as_of
