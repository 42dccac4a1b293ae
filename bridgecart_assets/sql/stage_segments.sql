-- One row per period and segment, also for segments that nobody is in: the frame of every KPI table.
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

-- Who stood in which segment when the period opened.
create temp view opening_members as
select p.period, p.closes_on, s.*
from periods p
join gold.customer_snapshots s on s.as_of = p.period;

-- Every order with the segment its customer had when the period opened; new customers have none.
create temp view period_sales as
select
    period_of(s.purchased_on) as period,
    coalesce(m.segment_key, 'unassigned') as segment_key,
    s.*
from sales s
left join gold.customer_snapshots m on m.customer_id = s.customer_id and m.as_of = period_of(s.purchased_on);
