-- Who of a segment's active customers bought nothing in the churn window after a period opened.
-- needs: flows, clock, frame, periods, $as_of, $churn_window_days
-- gives: kpi.churn_rate

with counted as (
    select
        period, opening_key as segment_key,
        sum(customers) as customers,
        sum(active) as active,
        sum(silent) as churned,
        case when sum(rated) > 0 then sum(churn_risk)::double / sum(rated) end as estimated_churn_rate,
        case when sum(scored) > 0 then sum(in_hindsight) > 0 end as in_hindsight,
        sum(old_enough) as old_enough,
        sum(inactive) as inactive
    from flows
    where opening_key <> 'new'
    group by period, opening_key
),
framed as (
    select
        f.*,
        coalesce(c.customers, 0) as customers,
        $churn_window_days as window_days,
        f.period + $churn_window_days as matures_on,
        -- The day of the latest order may go on; it is over where a setting says so.
        f.period + $churn_window_days <= coalesce($as_of::date, clock.as_of - 1) as matured,
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
    period, closes_on, is_complete, segment_key, segment, model_changed, customers, window_days, matures_on, matured, active,
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
