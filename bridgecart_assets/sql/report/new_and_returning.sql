-- Sales, purchases and average order of customers whose first order lies in the period, and of all others.
-- needs: kpi.average_order_value, kpi.sales_contribution, shown_periods
-- gives: rows

select
    period,
    case when v.segment_key = 'new' then 'new' else 'returning' end as who,
    any_value(v.is_complete) as is_complete,
    sum(v.customers) as buyers,
    sum(v.orders) as orders,
    sum(s.sales) as sales,
    sum(s.sales_contribution) as share,
    case when sum(v.orders) > 0 then sum(v.sales)::double / sum(v.orders) end as average_order_value,
    sum(v.customers) < 30 as low_sample
from kpi.average_order_value v
join shown_periods using (period)
join kpi.sales_contribution s using (period, segment_key)
group by period, who
order by period, who
