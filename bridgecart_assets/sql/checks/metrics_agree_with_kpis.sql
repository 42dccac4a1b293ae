-- Full joins: KPI tables that were not made together have other periods or segments.
with kpis as (
    select
        period, segment_key,
        (
            g.customers, g.clv_growth, g.clv_growth_reason, c.churn_rate, c.churn_rate_reason,
            a.average_order_value, a.average_order_value_reason, s.sales, s.sales_contribution, s.sales_contribution_reason
        ) as metrics
    from kpi.clv_growth g
    full join kpi.churn_rate c using (period, segment_key)
    full join kpi.average_order_value a using (period, segment_key)
    full join kpi.sales_contribution s using (period, segment_key)
),
intervals as (
    select
        segment_key, valid_from, valid_to,
        (
            customers, clv_growth, clv_growth_reason, churn_rate, churn_rate_reason,
            average_order_value, average_order_value_reason, sales, sales_contribution, sales_contribution_reason
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
