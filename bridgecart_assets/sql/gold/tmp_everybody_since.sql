-- Customers as of the openings of the periods whose flows are made anew, and as of now.
-- needs: gold.customer_openings, gold.customer_totals, replaced, late_timeline, summed_periods, timeline
-- gives: everybody_since

create or replace temp view everybody_since as
select
    o.*,
    case
        when l.as_of is not null then l.next_purchased_on
        else least(
            case when t.returned_on >= o.as_of then t.returned_on end,
            case when r.totals.returned_on >= o.as_of then r.totals.returned_on end
        )
    end as next_purchased_on
from gold.customer_openings o
join gold.customer_totals t using (customer_id, customer_hash)
left join replaced r using (customer_id, customer_hash)
left join late_timeline l using (as_of, customer_id, customer_hash)
where o.as_of in (select period from summed_periods)
union all by name
from timeline;
