-- One row per period and segment, also for segments that nobody is in: the frame of every KPI table.
-- needs: gold.segment_model, periods, gold.segment_flows
-- gives: segment_names, frame, flows, sales_flows

create temp table segment_names as
select segment_key, segment
from gold.segment_model
where status = 'active'
qualify row_number() over (partition by segment_key order by version desc) = 1
union all
select 'unassigned', 'unassigned';

create temp table frame as
select p.period, p.closes_on, p.is_complete, n.segment_key, n.segment
from periods p
cross join segment_names n;

-- Flows that were made for another close would be figures of another day.
create temp view flows as
select f.*
from gold.segment_flows f
join periods using (period, closes_on);

-- Sales count for the segment that a customer was in when the period opened; new customers had none.
create temp view sales_flows as
select * replace (case opening_key when 'new' then 'unassigned' else opening_key end as opening_key)
from flows;
