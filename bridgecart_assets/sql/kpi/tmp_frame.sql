-- One row per period and segment, also for segments that nobody is in: the frame of every KPI table.
-- needs: gold.segment_model, periods, gold.segment_flows
-- gives: segment_names, model_changes, frame, flows

-- New customers had no segment when the period opened; neither had those who had ordered and never bought.
create temp table segment_names as
select segment_key, segment
from gold.segment_model
where status = 'active'
qualify row_number() over (partition by segment_key order by version desc) = 1
union all
values ('new', 'new'), ('unassigned', 'unassigned');

-- As the snapshots see it: the latest version that is in force on a date, else the first.
create temp table model_changes as
with versions as (
    select distinct version, in_force_from from gold.segment_model where status = 'active'
),
in_force as (
    select
        p.period,
        coalesce(max(v.version) filter (where v.in_force_from <= p.period), min(v.version)) as at_opening,
        coalesce(max(v.version) filter (where v.in_force_from <= p.closes_on), min(v.version)) as at_close
    from periods p
    cross join versions v
    group by p.period
)
select period from in_force where at_opening <> at_close;

create temp table frame as
select
    p.period, p.closes_on, p.is_complete, n.segment_key, n.segment,
    p.period in (select period from model_changes) as model_changed
from periods p
cross join segment_names n;

-- Flows that were made for another close would be figures of another day.
create temp view flows as
select f.*
from gold.segment_flows f
join periods using (period, closes_on);
