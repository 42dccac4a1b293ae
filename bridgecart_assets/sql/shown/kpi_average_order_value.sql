select period, segment_key, segment, orders, sales, round(average_order_value, 2) as average_order_value
from kpi.average_order_value
where period >= (select coalesce(max(period) filter (where is_complete), max(period)) from kpi.average_order_value)
order by period, segment_key
