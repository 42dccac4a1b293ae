-- Segments with more customers who bought in the period or churned from its opening on than there are: as long as the
-- period lies within the churn window, nobody can be both.
-- needs: kpi.churn_rate, gold.segment_flows
-- gives: rows

with buyers as (
    select period, closes_on, opening_key as segment_key, sum(bought) as bought
    from gold.segment_flows
    -- Who was not there at the opening could not churn.
    where opening_key <> 'new'
    group by period, closes_on, opening_key
)
select period, segment_key, customers, churned, bought
from kpi.churn_rate
join buyers using (period, closes_on, segment_key)
where closes_on <= matures_on and churned + bought > customers
order by period, segment_key
