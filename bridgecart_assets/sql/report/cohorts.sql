-- Customers by the month of their first purchase, and their mean net sales in the first days since it. A cohort has a
-- value once the youngest of it is that old: so all are compared at the same age.
-- needs: gold.customer_features, since_first_purchase
-- gives: rows

with cohorts as (
    select
        date_trunc('month', first_purchased_on)::date as cohort,
        count(*) as customers,
        sum(net_sales) as net_sales,
        any_value(as_of) - last_day(any_value(first_purchased_on)) as age_of_youngest
    from gold.customer_features
    where first_purchased_on is not null
    group by cohort
),
sales as (
    select
        cohort,
        sum(net_sales_30) as net_sales_30, sum(net_sales_90) as net_sales_90,
        sum(net_sales_180) as net_sales_180, sum(net_sales_365) as net_sales_365
    from since_first_purchase
    group by cohort
)
select
    cohort, customers, net_sales,
    case when age_of_youngest >= 30 then round(net_sales_30::double / customers, 2) end as mean_clv_30,
    case when age_of_youngest >= 90 then round(net_sales_90::double / customers, 2) end as mean_clv_90,
    case when age_of_youngest >= 180 then round(net_sales_180::double / customers, 2) end as mean_clv_180,
    case when age_of_youngest >= 365 then round(net_sales_365::double / customers, 2) end as mean_clv_365
from cohorts
join sales using (cohort)
order by cohort
