select period, segment_key, segment, customers, sales, sales_contribution
from kpi.sales_contribution
where period >= (select coalesce(max(period) filter (where is_complete), max(period)) from kpi.sales_contribution)
order by period, segment_key
