with members as (
    select
        m.period, m.segment_key, m.customer_id,
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
        c.churned, c.old_enough, c.inactive
    from frame f
    cross join clock
    left join counted c using (period, segment_key)
)
select
    period, closes_on, is_complete, segment_key, segment, customers, window_days, matures_on, matured, active,
    case when matured then coalesce(churned, 0) end as churned,
    case when matured and active > 0 then churned::double / active end as churn_rate,
    case
        when not matured then 'not_matured'
        when period = (select min(period) from periods) then 'no_baseline'
        when customers = 0 then 'empty_segment'
        when active = 0 then 'nobody_active'
    end as churn_rate_reason,
    case when old_enough > 0 then inactive::double / old_enough end as inactive_share,
    active < 30 as low_sample
from framed
