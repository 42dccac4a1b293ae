select period, segment_key, segment, customers, round(clv_growth, 4) as clv_growth, closing_clv
from kpi.clv_growth
where period >= (select coalesce(max(period) filter (where is_complete), max(period)) from kpi.clv_growth)
order by period, segment_key
