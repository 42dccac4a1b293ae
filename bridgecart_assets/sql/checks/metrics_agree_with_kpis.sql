-- Periods whose figures are not those of the validity interval that holds them. Full joins: KPI tables that were not
-- made together have other periods or segments.
-- needs: kpi.clv_growth,
--     kpi.{kpi},
--     kpi.segment_metrics_history
-- gives: rows

with figures as (
    select
        period, segment_key,
        {kept},
    from kpi.clv_growth as frame
    full join kpi.{kpi} using (period, segment_key)
),
kpis as (
    select
        period, segment_key,
        row(
            {kept_names},
        ) as metrics
    from figures
),
intervals as (
    select
        segment_key, valid_from, valid_to,
        row(
            {kept_names},
        ) as metrics
    from kpi.segment_metrics_history
)
select 'other figures' as problem, k.segment_key, k.period
from kpis k
left join intervals h
    on h.segment_key = k.segment_key and h.valid_from <= k.period and k.period < coalesce(h.valid_to, 'infinity'::date)
where h.metrics is distinct from k.metrics
union all
select 'begins with no period', h.segment_key, h.valid_from
from intervals h
anti join kpis k on k.segment_key = h.segment_key and k.period = h.valid_from
order by problem, segment_key, period
