-- How the value of a segment's customers grew in a period, and the bridge from its opening to its close. Of customers
-- who were erased, `erased_value` is all that is left.
-- needs: flows, gold.erased_value, period_length, periods, frame
-- gives: kpi.clv_growth

with worth as (
    select
        period, opening_key, closing_key, customers, opening_clv, closing_clv,
        case when opening_predicted > 0 then opening_predicted_clv end as opening_predicted_clv,
        case when closing_predicted > 0 then closing_predicted_clv end as closing_predicted_clv
    from flows
    union all
    select e.period, e.segment_key, 'gone', e.customers, e.net_sales, 0, null, null
    from gold.erased_value e
    join period_length on period_length.unit = e.period_unit
),
opened as (
    select
        period, opening_key as segment_key,
        sum(customers) as customers,
        sum(opening_clv) as opening_clv,
        sum(opening_clv) filter (where closing_key <> 'gone') as like_for_like_opening,
        sum(closing_clv) filter (where closing_key <> 'gone') as like_for_like_closing,
        sum(opening_predicted_clv) as opening_predicted_clv,
        sum(opening_predicted_clv) filter (where closing_key <> 'gone') as like_for_like_predicted_opening,
        sum(closing_predicted_clv) as like_for_like_predicted_closing,
        sum(closing_clv - opening_clv) filter (where closing_key <> 'gone') as organic,
        sum(closing_clv) filter (where closing_key not in (opening_key, 'gone')) as migrated_out,
        sum(opening_clv) filter (where closing_key = 'gone') as removed
    from worth
    where opening_key <> 'new'
    group by period, opening_key
),
closed as (
    select
        period, closing_key as segment_key,
        sum(customers) as closing_customers,
        sum(closing_clv) as closing_clv,
        sum(closing_predicted_clv) as closing_predicted_clv,
        sum(closing_clv) filter (where opening_key not in (closing_key, 'new')) as migrated_in,
        sum(closing_clv) filter (where opening_key = 'new') as new_customers
    from worth
    where closing_key <> 'gone'
    group by period, closing_key
)
select
    f.*,
    coalesce(o.customers, 0) as customers,
    coalesce(c.closing_customers, 0) as closing_customers,
    case when o.like_for_like_opening > 0
        then o.like_for_like_closing::double / o.like_for_like_opening::double - 1 end as clv_growth,
    case
        when f.period = (select min(period) from periods) then 'no_baseline'
        when o.customers is null then 'empty_segment'
        when o.like_for_like_opening is null or o.like_for_like_opening <= 0 then 'opening_value_not_positive'
    end as clv_growth_reason,
    case when o.opening_clv > 0 and c.closing_customers > 0
        then (c.closing_clv::double / c.closing_customers) / (o.opening_clv::double / o.customers) - 1
    end as clv_growth_mix_included,
    case when o.like_for_like_predicted_opening > 0
        then o.like_for_like_predicted_closing::double / o.like_for_like_predicted_opening::double - 1
    end as predicted_clv_growth,
    case when o.like_for_like_predicted_opening + o.like_for_like_opening > 0
        then (o.like_for_like_predicted_closing + o.like_for_like_closing)::double
            / (o.like_for_like_predicted_opening + o.like_for_like_opening)::double - 1
    end as total_clv_growth,
    case
        when f.period = (select min(period) from periods) then 'no_baseline'
        when o.customers is null then 'empty_segment'
        when o.like_for_like_predicted_opening is null or o.like_for_like_predicted_closing is null then 'no_prediction'
        when o.like_for_like_predicted_opening <= 0 then 'opening_value_not_positive'
    end as predicted_clv_growth_reason,
    o.opening_predicted_clv,
    c.closing_predicted_clv,
    coalesce(o.opening_clv, 0) as opening_clv,
    coalesce(o.organic, 0) as organic,
    coalesce(c.migrated_in, 0) as migrated_in,
    coalesce(o.migrated_out, 0) as migrated_out,
    coalesce(c.new_customers, 0) as new_customers,
    coalesce(o.removed, 0) as removed,
    coalesce(c.closing_clv, 0) as closing_clv,
    coalesce(o.customers, 0) < 30 as low_sample
from frame f
left join opened o using (period, segment_key)
left join closed c using (period, segment_key)
