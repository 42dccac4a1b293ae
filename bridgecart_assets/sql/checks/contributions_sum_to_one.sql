-- A period with positive sales has a share for every segment; a period without has none.
-- needs: kpi.sales_contribution
-- gives: rows

select
    period, sum(sales_contribution) as sum_of_shares, sum(closing_sales_contribution) as sum_of_closing_shares,
    count(sales_contribution) as shares, count(*) as segments
from kpi.sales_contribution
group by period
having sum(sales_contribution) <> 1 or sum(closing_sales_contribution) <> 1
    or sum(sales) <> max(total_sales) or sum(closing_sales) <> max(total_sales)
    or count(sales_contribution) <> case when max(total_sales) > 0 then count(*) else 0 end
    or count(closing_sales_contribution) <> count(sales_contribution)
order by period
