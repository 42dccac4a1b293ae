select period, segment_key, clv_growth::double as value
from kpi.clv_growth
where is_complete and segment_key <> 'unassigned'
order by period, segment_key
