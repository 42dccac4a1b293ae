select period, segment_key, sales_contribution::double as value
from kpi.sales_contribution
where is_complete and segment_key <> 'unassigned'
order by period, segment_key
