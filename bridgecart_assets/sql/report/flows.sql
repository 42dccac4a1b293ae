-- Customers by segment at the opening and at the close of each period.
-- needs: gold.segment_flows, shown_periods
-- gives: rows

select period, opening_key, closing_key, sum(customers) as customers
from gold.segment_flows
join shown_periods using (period, closes_on)
group by period, opening_key, closing_key
order by period, opening_key, closing_key
