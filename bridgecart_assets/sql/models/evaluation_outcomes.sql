-- Every customer with a purchase before the as-of date: what is known and predicted, and what came before and after.
-- needs: silver.orders, gold.customer_features, gold.customer_segments, $days
-- gives: rows

with days as (
    select
        customer_id, purchased_on, sum(net_amount) as net,
        sum(net_amount) filter (where order_kind = 'purchase') as spend
    from silver.orders
    group by all
),
windows as (
    select
        d.customer_id,
        coalesce(sum(d.spend) filter (where d.purchased_on < f.as_of), 0) as spend,
        count(d.spend) filter (where d.purchased_on >= f.as_of - $days and d.purchased_on < f.as_of) as purchases_before,
        coalesce(sum(d.net) filter (where d.purchased_on >= f.as_of - $days and d.purchased_on < f.as_of), 0)
            as sales_before,
        count(d.spend) filter (where d.purchased_on >= f.as_of and d.purchased_on < f.as_of + $days) as purchases_after,
        coalesce(sum(d.net) filter (where d.purchased_on >= f.as_of and d.purchased_on < f.as_of + $days), 0)
            as sales_after
    from days d
    join gold.customer_features f using (customer_id)
    group by d.customer_id
)
select
    s.* replace (s.predicted_clv::double as predicted_clv, s.net_sales::double as net_sales),
    f.frequency, f.recency_days, f.tenure_days,
    w.spend::double as spend,
    w.purchases_before,
    w.sales_before::double as sales_before,
    w.purchases_after,
    w.sales_after::double as sales_after
from gold.customer_segments s
join gold.customer_features f using (customer_id)
join windows w using (customer_id)
where f.frequency > 0
order by s.customer_id
