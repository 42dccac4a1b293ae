-- Churn rates that are out of bounds, or missing without a reason.
-- needs: kpi.churn_rate
-- gives: rows

select period, segment_key, customers, active, churned, churn_rate, matured
from kpi.churn_rate
where churn_rate not between 0 and 1 or active > customers or churned > active
    or (churn_rate is null) <> (churn_rate_reason is not null) or (not matured and churn_rate is not null)
order by period, segment_key
