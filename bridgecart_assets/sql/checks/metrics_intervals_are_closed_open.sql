-- Validity intervals of metrics that end before they begin, or are current and have an end.
-- needs: kpi.segment_metrics_history
-- gives: rows

select segment_key, valid_from, valid_to, is_current
from kpi.segment_metrics_history
where valid_to <= valid_from or is_current <> (valid_to is null)
order by segment_key, valid_from
