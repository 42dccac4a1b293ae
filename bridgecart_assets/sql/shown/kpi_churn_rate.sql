-- From the last period whose window is over: what is known, and the estimates of what is not yet.
select period, segment_key, segment, active, churned, churn_rate, churn_rate_reason, estimated_churn_rate, matures_on
from kpi.churn_rate
where period >= (select coalesce(max(period) filter (where matured), max(period)) from kpi.churn_rate)
order by period, segment_key
