-- Net sales over all periods and segments must be those of the orders before the as-of date, to the cent.
-- needs: kpi.sales_contribution, silver.batch_sums, $as_of
-- gives: rows

with kpi as (
    select coalesce(sum(sales), 0) as sales from kpi.sales_contribution
),
silver as (
    select coalesce(sum(net_sales), 0) as sales from silver.batch_sums where coalesce(purchased_on < $as_of::date, true)
)
select kpi.sales as kpi_sales, silver.sales as silver_sales
from kpi, silver
where kpi.sales <> silver.sales
