-- What became of customers who were dormant at the reference opening, or had bought once: how many bought again since,
-- and what all of them brought, refunds taken off; by segment and silence then. Of fewer than 30 nothing is known.
-- needs: gold.customer_openings, gold.customer_features, reference_opening, silence_of(), $churn_window_days
-- gives: came_back

create or replace temp table came_back as
select
    case when recency_days > $churn_window_days then 'win_back' else 'second_purchase' end as kind,
    segment_key,
    silence_of(recency_days, $churn_window_days) as silence,
    count(*) as customers,
    count(*) filter (where has_bought) as came,
    sum(brought) as brought,
    max(brought) as most
from (
    select
        o.segment_key, o.frequency,
        r.opened_on - 1 - o.last_purchased_on as recency_days,
        f.last_purchased_on >= r.opened_on as has_bought,
        f.net_sales - o.net_sales as brought
    from reference_opening r
    join gold.customer_openings o on o.as_of = r.opened_on
    join gold.customer_features f using (customer_hash, customer_id)
    where o.frequency > 0
)
where recency_days > $churn_window_days or frequency = 1
group by all
having count(*) >= 30
