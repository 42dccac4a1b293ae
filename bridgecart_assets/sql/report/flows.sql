-- Customers by segment at the opening and at the close of each period.
with shown as (
    select distinct period, closes_on
    from kpi.clv_growth
    order by period desc
    limit $most_periods
)
select period, opening_key, closing_key, sum(customers) as customers
from gold.segment_flows
join shown using (period, closes_on)
group by period, opening_key, closing_key
order by period, opening_key, closing_key
