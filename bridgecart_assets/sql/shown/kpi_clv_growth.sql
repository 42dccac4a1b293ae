select period, is_complete, segment_key, segment, customers, clv_growth, clv_growth_reason, opening_clv, closing_clv
from kpi.clv_growth
where period >= (select coalesce(max(period) filter (where is_complete), max(period)) from kpi.clv_growth)
order by period, segment_key
