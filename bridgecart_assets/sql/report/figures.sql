-- The KPIs of the newest periods by segment, and those of all customers together ('all'); churn also beside that of the
-- same period a year before.
-- needs: gold.segment_flows, kpi.clv_growth, shown_periods, kpi.churn_rate, kpi.average_order_value,
--     kpi.sales_contribution, $kpi_period
-- gives: rows

with estimates as (
    select period, closes_on, sum(churn_risk)::double / nullif(sum(rated), 0) as estimated_churn_rate
    from gold.segment_flows
    where opening_key <> 'new'
    group by period, closes_on
),
by_segment as (
    select
        g.period, g.closes_on, g.is_complete, g.model_changed, g.segment_key, g.segment, g.customers, g.closing_customers,
        g.clv_growth, g.clv_growth_reason, g.predicted_clv_growth, g.predicted_clv_growth_reason,
        g.opening_clv, g.organic, g.removed, g.closing_clv,
        c.matures_on, c.matured, c.active, c.churned, c.churn_rate, c.churn_rate_reason,
        c.estimated_churn_rate, c.estimated_churn_rate_reason, c.estimate_error, c.in_hindsight,
        v.customers as buyers, v.orders, v.sales as purchase_sales, v.average_order_value,
        v.average_order_value_reason, v.refunded, v.refund_share, v.average_order_value_after_refunds,
        s.sales, s.sales_contribution, s.sales_contribution_reason, s.closing_sales_contribution,
        s.largest_customer_at_most,
        g.low_sample, c.low_sample as churn_low_sample, v.low_sample as order_low_sample
    from kpi.clv_growth g
    join shown_periods using (period)
    join kpi.churn_rate c using (period, segment_key)
    join kpi.average_order_value v using (period, segment_key)
    join kpi.sales_contribution s using (period, segment_key)
),
summed as (
    select
        period, closes_on, any_value(is_complete) as is_complete, any_value(model_changed) as model_changed,
        sum(customers) as customers, sum(closing_customers) as closing_customers,
        bool_and(clv_growth_reason is not distinct from 'no_baseline') as is_first, sum(opening_clv) as opening_clv, sum(organic) as organic, sum(removed) as removed,
        sum(closing_clv) as closing_clv,
        any_value(matures_on) as matures_on, any_value(matured) as matured,
        sum(active) as active, sum(churned) as churned, bool_or(in_hindsight) as in_hindsight,
        sum(buyers) as buyers, sum(orders) as orders, sum(purchase_sales) as purchase_sales,
        sum(refunded) as refunded, sum(sales) as sales
    from by_segment
    group by period, closes_on
),
total as (
    select
        s.*,
        'all' as segment_key, 'All customers' as segment,
        case when opening_clv - removed > 0 then organic::double / (opening_clv - removed)::double end as clv_growth,
        case
            when clv_growth is null and is_first then 'no_baseline'
            when clv_growth is null then 'opening_value_not_positive'
        end as clv_growth_reason,
        case when matured and active > 0 then churned::double / active end as churn_rate,
        case when not matured then 'not_matured' when active = 0 then 'nobody_active' end as churn_rate_reason,
        e.estimated_churn_rate,
        e.estimated_churn_rate - churn_rate as estimate_error,
        case when orders > 0 then purchase_sales::double / orders end as average_order_value,
        case when orders = 0 then 'no_orders' end as average_order_value_reason,
        case when orders > 0 then refunded::double / purchase_sales::double end as refund_share,
        case when orders > 0 then (purchase_sales - refunded)::double / orders end as average_order_value_after_refunds,
        customers < 30 as low_sample, active < 30 as churn_low_sample, buyers < 30 as order_low_sample
    from summed s
    left join estimates e using (period, closes_on)
),
figures as (
    from by_segment
    union all by name
    from total
),
-- The KPIs that are ratios of sums, of each segment and of all customers.
ratios as (
    select
        frame.period, coalesce(frame.segment_key, 'all') as segment_key,
        grouping(frame.segment_key) = 1 as of_all,
        case when of_all then sum(of_{ratio}.{numerator})::double / nullif(sum(of_{ratio}.{denominator}), 0) else any_value(of_{ratio}.{ratio}) end as {ratio},
        case when not of_all then any_value(of_{ratio}.{ratio}_reason) when coalesce(sum(of_{ratio}.{denominator}), 0) = 0 then '{no_total}' end as {ratio}_reason,
        sum(of_{ratio}.customers) as {ratio}_customers,
        case when of_all then sum(of_{ratio}.customers) < 30 else any_value(of_{ratio}.low_sample) end as {ratio}_low_sample,
    from kpi.clv_growth as frame
    join shown_periods using (period)
    join kpi.{ratio} as of_{ratio} using (period, segment_key)
    group by grouping sets ((frame.period, frame.segment_key), (frame.period))
),
with_intervals as (
    select
        * exclude (organic, removed, is_first, of_all, wide, spread),
        -- Wilson's interval of 95 %.
        case when churn_rate is not null then greatest(0, (churn_rate + wide / 2 - spread) / (1 + wide)) end as churn_rate_low,
        case when churn_rate is not null then least(1, (churn_rate + wide / 2 + spread) / (1 + wide)) end as churn_rate_high,
        -- Weeks and days have their weekdays a year before, too.
        case when $kpi_period = 'month' then (period - interval 1 year)::date else period - 364 end as year_before
    from (
        select
            *,
            3.8416 / nullif(active, 0) as wide,
            1.96 * sqrt((churn_rate * (1 - churn_rate) + 3.8416 / (4 * nullif(active, 0))) / nullif(active, 0)) as spread
        from figures
        left join ratios using (period, segment_key)
    )
)
select
    f.*,
    y.churn_rate as churn_rate_year_before,
    -- Newcombe's interval of the difference of two rates, 95 %.
    f.churn_rate - y.churn_rate
    - sqrt(pow(f.churn_rate - f.churn_rate_low, 2) + pow(y.churn_rate_high - y.churn_rate, 2)) as churn_change_low,
    f.churn_rate - y.churn_rate
    + sqrt(pow(f.churn_rate_high - f.churn_rate, 2) + pow(y.churn_rate - y.churn_rate_low, 2)) as churn_change_high
from with_intervals f
left join with_intervals y on y.segment_key = f.segment_key and y.period = f.year_before
order by f.period, f.segment_key
