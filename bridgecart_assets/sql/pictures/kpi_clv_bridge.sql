-- From the opening to the closing value of all customers, in the latest complete period.
select
    sum(opening_clv)::double as opening, sum(organic)::double as organic, sum(new_customers)::double as new,
    -sum(removed)::double as erased, sum(closing_clv)::double as closing
from kpi.clv_growth
where period = (select max(period) from kpi.clv_growth where is_complete)
having count(*) > 0
