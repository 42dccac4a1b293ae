-- Segments without a current row in the history of the metrics, or with several.
-- needs: kpi.clv_growth, kpi.segment_metrics_history
-- gives: rows

select segment_key, count(*) filter (where h.is_current) as current_rows
from (select distinct segment_key from kpi.clv_growth) g
full join kpi.segment_metrics_history h using (segment_key)
group by segment_key
having count(*) filter (where h.is_current) <> 1
order by segment_key
