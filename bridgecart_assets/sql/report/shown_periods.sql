-- The newest periods.
-- needs: kpi.clv_growth, $most_periods
-- gives: shown_periods

create or replace temp table shown_periods as
select distinct period, closes_on, is_complete
from kpi.clv_growth
order by period desc
limit $most_periods
