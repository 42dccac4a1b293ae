-- The four KPIs side by side, one row per period and segment.
select
    g.segment_key,
    g.segment,
    g.period,
    g.closes_on,
    g.is_complete,
    g.customers,
    g.clv_growth,
    g.clv_growth_reason,
    c.churn_rate,
    c.churn_rate_reason,
    c.matures_on,
    round(a.average_order_value, 2) as average_order_value,
    a.average_order_value_reason,
    a.orders,
    s.sales,
    s.sales_contribution,
    s.sales_contribution_reason,
    g.low_sample
from clv_growth g
join churn_rate c using (period, segment_key)
join average_order_value a using (period, segment_key)
join sales_contribution s using (period, segment_key)
order by g.period, g.segment_key
