-- Historic value is net sales: at the last close all segments together are worth what all customers have spent.
-- needs: kpi.clv_growth, silver.batch_sums, $as_of
-- gives: rows

with kpi as (
    select coalesce(sum(closing_clv), 0) as clv
    from kpi.clv_growth
    where period = (select max(period) from kpi.clv_growth)
),
silver as (
    select coalesce(sum(net_sales), 0) as sales from silver.batch_sums where coalesce(purchased_on < $as_of::date, true)
)
select kpi.clv as closing_clv, silver.sales as silver_sales
from kpi, silver
where kpi.clv <> silver.sales
