-- A validity interval begins with a period in which any metric, or the reason why it is missing, is not that of the period before.
with periods as (
    select
        segment_key, period,
        struct_pack(
            customers := g.customers,
            clv_growth := g.clv_growth,
            clv_growth_reason := g.clv_growth_reason,
            churn_rate := c.churn_rate,
            churn_rate_reason := c.churn_rate_reason,
            average_order_value := a.average_order_value,
            average_order_value_reason := a.average_order_value_reason,
            sales := s.sales,
            sales_contribution := s.sales_contribution,
            sales_contribution_reason := s.sales_contribution_reason
        ) as metrics
    from kpi.clv_growth g
    join kpi.churn_rate c using (period, segment_key)
    join kpi.average_order_value a using (period, segment_key)
    join kpi.sales_contribution s using (period, segment_key)
),
compared as (
    select
        *,
        metrics is distinct from lag(metrics) over (partition by segment_key order by period) as begins
    from periods
),
intervals as (
    select
        segment_key, metrics,
        period as valid_from,
        lead(period) over (partition by segment_key order by period) as valid_to
    from compared
    where begins
)
select segment_key, valid_from, valid_to, valid_to is null as is_current, metrics.*
from intervals
