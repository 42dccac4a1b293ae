-- The CLV bridge as a waterfall: each step from where the one before ended.
-- needs: kpi.clv_growth, shown_periods
-- gives: rows

with bridges as (
    select
        period, segment_key, opening_clv, organic, migrated_in, migrated_out, new_customers, removed, closing_clv
    from kpi.clv_growth
    union all
    select
        period, 'all', sum(opening_clv), sum(organic), sum(migrated_in), sum(migrated_out), sum(new_customers),
        sum(removed), sum(closing_clv)
    from kpi.clv_growth
    group by period
),
steps as (
    select
        period, segment_key,
        unnest([
            {place: 1, step: 'opening value', change: opening_clv},
            {place: 2, step: 'added by the same customers', change: organic},
            {place: 3, step: 'came from other segments', change: migrated_in},
            {place: 4, step: 'left for other segments', change: -migrated_out},
            {place: 5, step: 'new customers', change: new_customers},
            {place: 6, step: 'erased', change: -removed},
            {place: 7, step: 'closing value', change: closing_clv}
        ], recursive := true)
    from bridges
    join shown_periods using (period)
),
placed as (
    select
        *,
        sum(change) filter (where place < 7) over (partition by period, segment_key order by place) as reached
    from steps
)
select
    period, segment_key, place, step, change,
    case when place in (1, 7) then 0 else reached - change end as begins,
    case when place = 7 then change else reached end as ends
from placed
order by period, segment_key, place
