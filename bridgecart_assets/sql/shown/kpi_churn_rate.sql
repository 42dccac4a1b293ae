-- From the last period whose window is over: what is known, and the estimates of what is not yet.
select
    period, segment_key, segment, active,
    round(churn_rate, 4) as churn_rate, round(estimated_churn_rate, 4) as estimated
from kpi.churn_rate
where period >= (select coalesce(max(period) filter (where matured), max(period)) from kpi.churn_rate)
order by period, segment_key
