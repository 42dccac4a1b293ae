-- Net sales over all periods and segments must be those of the orders, to the cent.
with kpi as (
    select coalesce(sum(sales), 0) as sales, max(closes_on) as as_of from kpi.sales_contribution
),
silver as (
    select coalesce(sum(net_amount), 0) as sales from silver.orders where purchased_at < (select as_of from kpi)
)
select kpi.sales as kpi_sales, silver.sales as silver_sales
from kpi, silver
where kpi.sales <> silver.sales
