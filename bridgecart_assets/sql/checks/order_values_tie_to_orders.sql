-- Purchases and their sales over all periods and segments must be those of the orders before the as-of date, to the
-- cent.
-- needs: kpi.average_order_value, silver.batch_sums, $as_of
-- gives: rows

with kpi as (
    select coalesce(sum(orders), 0) as orders, coalesce(sum(sales), 0) as sales from kpi.average_order_value
),
silver as (
    select coalesce(sum(purchases), 0) as orders, coalesce(sum(purchase_sales), 0) as sales
    from silver.batch_sums
    where coalesce(purchased_on < $as_of::date, true)
)
select kpi.orders as kpi_orders, silver.orders as silver_orders, kpi.sales as kpi_sales, silver.sales as silver_sales
from kpi, silver
where kpi.orders <> silver.orders or kpi.sales <> silver.sales
