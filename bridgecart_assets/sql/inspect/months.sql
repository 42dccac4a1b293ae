-- Sales by month of the shop's calendar, to be held against its own books.
-- needs: silver.orders
-- gives: rows

select
    strftime(purchased_on, '%Y-%m') as month,
    count(*) filter (where order_kind <> 'refund') as orders,
    coalesce(sum(net_amount) filter (where order_kind <> 'refund'), 0)::decimal(18, 2) as sales,
    coalesce(sum(net_amount) filter (where order_kind = 'refund'), 0)::decimal(18, 2) as refunds,
    sum(net_amount)::decimal(18, 2) as net_sales
from silver.orders
group by month
order by month
