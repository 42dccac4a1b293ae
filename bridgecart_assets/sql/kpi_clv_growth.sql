with closing as (
    select p.period, s.customer_id, s.segment_key, s.net_sales, s.predicted_clv
    from periods p
    join gold.customer_snapshots s on s.as_of = p.closes_on
),
-- s0, s1: segment at opening and close; clv0, clv1: value then; p0, p1: predicted. NULL: the customer did not exist.
pairs as (
    select
        coalesce(o.period, c.period) as period, 1 as customers,
        o.segment_key as s0, c.segment_key as s1, o.net_sales as clv0, c.net_sales as clv1,
        o.predicted_clv as p0, c.predicted_clv as p1
    from opening_members o
    full join closing c on c.period = o.period and c.customer_id = o.customer_id
    union all
    -- Of customers who were erased, this is all that is left.
    select e.period, e.customers, e.segment_key, null, e.net_sales, null, null, null
    from gold.erased_value e
    join period_length on period_length.unit = e.period_unit
),
opened as (
    select
        period, s0 as segment_key,
        sum(customers) as customers,
        sum(clv0) as opening_clv,
        sum(clv0) filter (where s1 is not null) as like_for_like_opening,
        sum(clv1) as like_for_like_closing,
        sum(p0) as opening_predicted_clv,
        sum(p0) filter (where s1 is not null) as like_for_like_predicted_opening,
        sum(p1) as like_for_like_predicted_closing,
        sum(clv1 - clv0) as organic,
        sum(clv1) filter (where s1 <> s0) as migrated_out,
        sum(clv0) filter (where s1 is null) as removed
    from pairs
    where s0 is not null
    group by period, s0
),
closed as (
    select
        period, s1 as segment_key,
        count(*) as closing_customers,
        sum(clv1) as closing_clv,
        sum(p1) as closing_predicted_clv,
        sum(clv1) filter (where s0 <> s1) as migrated_in,
        sum(clv1) filter (where s0 is null) as new_customers
    from pairs
    where s1 is not null
    group by period, s1
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
