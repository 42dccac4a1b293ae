-- Customers as of the openings of the periods whose flows are made anew, and as of the closes: of the period that is open
-- that is now, of which the scores have been written.
-- needs: gold.customer_openings, gold.customer_totals, gold.customer_scores, replaced, late_timeline, summed_periods
-- gives: everybody_at_openings, everybody_at_closes

create or replace temp view everybody_at_openings as
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
-- Of those who have bought in these periods; the others' tell nothing of a purchase after an opening.
left join (
    from gold.customer_totals where returned_on >= (select min(period) from summed_periods)
) t using (customer_id, customer_hash)
left join replaced r using (customer_id, customer_hash)
left join late_timeline l using (as_of, customer_id, customer_hash)
where o.as_of in (select period from summed_periods);

create or replace temp view everybody_at_closes as
from gold.customer_openings
where as_of in (select closes_on from summed_periods)
union all by name
select
    s.as_of, s.customer_id, s.customer_hash, t.orders, t.zero_value_orders, t.refunds, t.purchase_sales, t.net_sales,
    s.segment_key, s.predicted_clv
from gold.customer_scores s
join gold.customer_totals t using (customer_id, customer_hash);
