-- Each segment's share of the net sales of a period.
-- needs: sales_flows, frame
-- gives: kpi.sales_contribution

with counted as (
    select period, opening_key as segment_key, sum(ordered) as customers, sum(net_sales) as sales
    from sales_flows
    group by period, opening_key
),
framed as (
    select f.*, coalesce(c.customers, 0) as customers, coalesce(c.sales, 0) as sales
    from frame f
    left join counted c using (period, segment_key)
),
shares as (
    select *, sum(sales) over (partition by period) as total_sales
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
        1000000 - sum(whole) over (partition by period) as left_over,
        row_number() over (partition by period order by dividend - whole * divisor desc, segment_key) as rank
    from floored
)
select
    period, closes_on, is_complete, segment_key, segment, customers, sales, total_sales,
    -- Times, not over: a division would go through floating point.
    ((whole + case when rank <= left_over then 1 else 0 end)::decimal(26, 0) * 0.000001)::decimal(26, 6)
        as sales_contribution,
    case when total_sales <= 0 then 'total_sales_not_positive' end as sales_contribution_reason
from placed
