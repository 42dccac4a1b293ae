-- Customers by the month of their first purchase, and what they have been worth since.
select
    date_trunc('month', first_purchased_on)::date as cohort,
    count(*) as customers,
    sum(net_sales) as net_sales,
    round(sum(net_sales)::double / count(*), 2) as mean_clv
from gold.customer_features
where first_purchased_on is not null
group by cohort
order by cohort
