-- Segments of which the flows of the open period say another number of customers or another value than the customers
-- themselves do: at its opening, and as they are now.
-- needs: gold.segment_flows, gold.customer_openings, gold.customer_scores
-- gives: rows

with open_flows as (
    from gold.segment_flows where period = (select max(period) from gold.segment_flows)
),
said as (
    select 'opening' as moment, opening_key as segment_key, sum(customers) as customers, sum(opening_clv) as clv,
        sum(opening_predicted_clv) as predicted_clv
    from open_flows
    where opening_key <> 'new'
    group by opening_key
    union all
    select 'now', closing_key, sum(customers), sum(closing_clv), sum(closing_predicted_clv)
    from open_flows
    group by closing_key
),
found as (
    select 'opening' as moment, segment_key, count(*) as customers, sum(net_sales) as clv,
        coalesce(sum(predicted_clv), 0) as predicted_clv
    from gold.customer_openings
    where as_of = (select max(period) from gold.segment_flows)
    group by segment_key
    union all
    select 'now', segment_key, count(*), sum(net_sales), coalesce(sum(predicted_clv), 0)
    from gold.customer_scores
    group by segment_key
)
select
    moment, segment_key, said.customers as by_flows, found.customers as by_customers, said.clv as clv_by_flows,
    found.clv as clv_by_customers
from said
full join found using (moment, segment_key)
where (said.customers, said.clv, said.predicted_clv) is distinct from (found.customers, found.clv, found.predicted_clv)
order by moment, segment_key
