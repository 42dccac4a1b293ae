-- Months whose mean order is twenty times that of the two months before, or a twentieth: cents for euros, or another
-- currency. In the month of the change it may be neither, so that both count; the month after such a one is not told.
-- needs: silver.batch_sums
-- gives: rows

with months as (
    select date_trunc('month', purchased_on)::date as month, sum(purchase_sales)::double / sum(purchases) as mean_order
    from silver.batch_sums
    group by all
    having sum(purchases) >= 30
),
beside as (
    select *, lag(mean_order) over by_month as last_one, lag(mean_order, 2) over by_month as one_before
    from months
    window by_month as (order by month)
),
compared as (
    select
        month, mean_order,
        case when mean_order > last_one then least(last_one, one_before) else greatest(last_one, one_before) end as before,
        mean_order not between before / 20 and before * 20 as is_off
    from beside
)
select
    month, round(mean_order, 2) as mean_order, round(before, 2) as before,
    format('The mean order is {:.2f} in {}, and was {:.2f} before.', mean_order, strftime(month, '%Y-%m'), before) as says
from compared
where is_off
qualify not coalesce(lag(is_off) over (order by month), false)
order by month
