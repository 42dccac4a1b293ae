-- What a segment is worth when a period closes is what it is worth when the next one opens. Erased customers are in no
-- close any more, but still in the opening of the period that removed them.
-- needs: kpi.clv_growth
-- gives: rows

select a.period, a.segment_key, a.closing_clv, b.removed as next_removed, b.opening_clv as next_opening_clv
from kpi.clv_growth a
join kpi.clv_growth b on b.segment_key = a.segment_key and b.period = a.closes_on
where a.closing_clv + b.removed <> b.opening_clv
order by a.period, a.segment_key
