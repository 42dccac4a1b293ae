select period, segment_key, average_order_value::double as value
from kpi.average_order_value
where is_complete and segment_key <> 'unassigned'
order by period, segment_key
