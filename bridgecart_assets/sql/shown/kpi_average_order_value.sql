select period, is_complete, segment_key, segment, orders, sales, average_order_value, average_order_value_reason
from kpi.average_order_value
where period >= (select coalesce(max(period) filter (where is_complete), max(period)) from kpi.average_order_value)
order by period, segment_key
