-- Each segment's share of the net sales of a period: by the segments at its opening, and by those at its close, when new
-- customers have one.
-- needs: flows, frame
-- gives: kpi.sales_contribution

with counted as (
    select
        period, 'opening' as segments_at, opening_key as segment_key, sum(ordered) as customers,
        sum(net_sales) as sales, sum(net_sales_square) as square
    from flows
    group by period, opening_key
    union all
    select period, 'close', closing_key, sum(ordered), sum(net_sales), sum(net_sales_square)
    from flows
    group by period, closing_key
),
framed as (
    select f.*, dates.segments_at, coalesce(c.customers, 0) as customers, coalesce(c.sales, 0) as sales, c.square
    from frame f
    cross join (values ('opening'), ('close')) as dates (segments_at)
    left join counted c using (period, segments_at, segment_key)
),
shares as (
    select *, sum(sales) over (partition by period, segments_at) as total_sales
    from framed
),
-- Shares in millionths, rounded down; what is left over goes to the largest remainders, so that they sum to exactly 1.
-- Whole-number arithmetic: sales * 1e8 is the amount in cents, times a million.
millionths as (
    select
        *,
        case when total_sales > 0 then (sales * 100)::hugeint * 1000000 end as dividend,
        case when total_sales > 0 then (total_sales * 100)::hugeint end as divisor
    from shares
),
floored as (
    select
        *,
        -- Division rounds toward zero; below zero, down is one less.
        dividend // divisor - case when dividend < 0 and dividend % divisor <> 0 then 1 else 0 end as whole
    from millionths
),
placed as (
    select
        *,
        1000000 - sum(whole) over (partition by period, segments_at) as left_over,
        row_number() over (partition by period, segments_at order by dividend - whole * divisor desc, segment_key) as rank
    from floored
),
rounded as (
    select
        *,
        -- Times, not over: a division would go through floating point.
        ((whole + case when rank <= left_over then 1 else 0 end)::decimal(26, 0) * 0.000001)::decimal(26, 6) as share
    from placed
)
select
    o.period, o.closes_on, o.is_complete, o.segment_key, o.segment, o.model_changed, o.customers, o.sales, o.total_sales,
    o.share as sales_contribution,
    case when o.total_sales <= 0 then 'total_sales_not_positive' end as sales_contribution_reason,
    c.sales as closing_sales,
    c.share as closing_sales_contribution,
    case when o.sales > 0 then sqrt(o.square::double) / o.sales::double end as largest_customer_at_most
from rounded o
join rounded c using (period, segment_key)
where o.segments_at = 'opening' and c.segments_at = 'close'
