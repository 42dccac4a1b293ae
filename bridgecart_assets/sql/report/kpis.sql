-- All KPIs side by side, one row per period and segment.
-- needs: clv_growth,
--     {kpi},
-- gives: rows

select
    frame.segment_key,
    frame.segment,
    frame.period,
    frame.closes_on,
    frame.is_complete,
    frame.model_changed,
    {shown},
    frame.low_sample
from clv_growth as frame
join {kpi} using (period, segment_key)
order by frame.period, frame.segment_key
