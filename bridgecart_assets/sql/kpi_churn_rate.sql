with members as (
    select
        m.period, m.segment_key, m.customer_id, m.churn_risk, m.in_hindsight,
        coalesce(m.last_purchased_on >= m.period - $churn_window_days, false) as is_active,
        m.period - m.first_purchased_on >= $churn_window_days as is_old_enough,
        exists (
            select 1 from purchase_days d
            where d.customer_id = m.customer_id
                and d.purchased_on >= m.period and d.purchased_on < m.period + $churn_window_days
        ) as has_returned
    from opening_members m
),
counted as (
    select
        period, segment_key,
        count(*) as customers,
        count(*) filter (where is_active) as active,
        count(*) filter (where is_active and not has_returned) as churned,
        -- In fixed point, so that the mean does not depend on the order of the rows.
        sum(churn_risk::decimal(18, 9)) filter (where is_active)::double
            / count(churn_risk) filter (where is_active) as estimated_churn_rate,
        bool_or(in_hindsight) as in_hindsight,
        count(*) filter (where is_old_enough) as old_enough,
        count(*) filter (where is_old_enough and not is_active) as inactive
    from members
    group by period, segment_key
),
framed as (
    select
        f.*,
        coalesce(c.customers, 0) as customers,
        $churn_window_days as window_days,
        f.period + $churn_window_days as matures_on,
        -- The data reaches as_of: every day before it is complete.
        f.period + $churn_window_days <= clock.as_of as matured,
        coalesce(c.active, 0) as active,
        c.churned, c.old_enough, c.inactive, c.estimated_churn_rate, c.in_hindsight
    from frame f
    cross join clock
    left join counted c using (period, segment_key)
),
rated as (
    select *, case when matured and active > 0 then churned::double / active end as churn_rate
    from framed
)
select
    period, closes_on, is_complete, segment_key, segment, customers, window_days, matures_on, matured, active,
    case when matured then coalesce(churned, 0) end as churned,
    churn_rate,
    case
        when not matured then 'not_matured'
        when period = (select min(period) from periods) then 'no_baseline'
        when customers = 0 then 'empty_segment'
        when active = 0 then 'nobody_active'
    end as churn_rate_reason,
    case when old_enough > 0 then inactive::double / old_enough end as inactive_share,
    estimated_churn_rate,
    case
        when estimated_churn_rate is not null then null
        when period = (select min(period) from periods) then 'no_baseline'
        when customers = 0 then 'empty_segment'
        when active = 0 then 'nobody_active'
        else 'no_prediction'
    end as estimated_churn_rate_reason,
    in_hindsight,
    estimated_churn_rate - churn_rate as estimate_error,
    last_value(estimated_churn_rate - churn_rate ignore nulls) over so_far as last_estimate_error,
    active < 30 as low_sample
from rated
window so_far as (partition by segment_key order by period)
