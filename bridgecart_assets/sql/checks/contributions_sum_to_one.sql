select period, sum(sales_contribution) as sum_of_shares
from kpi.sales_contribution
group by period
having sum(sales_contribution) <> 1 or sum(sales) <> max(total_sales)
order by period
