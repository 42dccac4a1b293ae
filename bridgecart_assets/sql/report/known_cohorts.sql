-- Customers by the month of their first purchase, and how many whole months of age (30 days) the youngest has behind it:
-- so many all of the cohort have. The newest cohorts are shown.
-- needs: gold.customer_features, $most_cohorts
-- gives: known_cohorts

create or replace temp table known_cohorts as
select
    date_trunc('month', first_purchased_on)::date as cohort,
    count(*) as customers,
    sum(net_sales) as net_sales,
    greatest(any_value(as_of) - last_day(any_value(first_purchased_on)), 0) // 30 as whole_ages,
    row_number() over (order by cohort desc) <= $most_cohorts as is_shown
from gold.customer_features
where first_purchased_on is not null
group by cohort
