select period, segment_key, churn_rate::double as value
from kpi.churn_rate
where matured and segment_key <> 'unassigned'
order by period, segment_key
