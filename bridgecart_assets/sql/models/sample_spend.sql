-- What the customers of a fit spent on their purchase days, in sums: before the last $held_out_days, and in them.
-- needs: gold.customer_features, silver.orders, is_sampled(), $fitted_customers, $held_out_days
-- gives: rows

with sampled as (
    select customer_id, as_of
    from gold.customer_features
    where frequency > 0 and is_sampled(
        customer_hash, (select count(*) from gold.customer_features where frequency > 0), $fitted_customers
    )
    order by customer_hash, customer_id
    limit $fitted_customers
),
days as (
    select
        customer_id,
        o.purchased_on < s.as_of - $held_out_days as is_before,
        sum(o.net_amount)::decimal(18, 2) as spend,
        ln(spend::double)::decimal(18, 9) as log_spend
    from silver.orders o
    join sampled s using (customer_id)
    where o.order_kind = 'purchase' and o.purchased_on < s.as_of
    group by customer_id, o.purchased_on, is_before
),
parts as (
    select
        customer_id, is_before,
        count(*) as days,
        sum(spend) as spend,
        -- In fixed point, so that sums do not depend on the order of the rows.
        sum((spend::double * spend::double)::decimal(38, 4)) as spend_square,
        sum(log_spend) as log_spend,
        sum((log_spend::double * log_spend::double)::decimal(18, 9)) as log_spend_square
    from days
    group by customer_id, is_before
)
select
    customer_id,
    coalesce(b.days, 0)::double as days_before,
    coalesce(b.spend, 0)::double as spend_before,
    coalesce(b.spend_square, 0)::double as spend_square_before,
    coalesce(b.log_spend, 0)::double as log_spend_before,
    coalesce(b.log_spend_square, 0)::double as log_spend_square_before,
    coalesce(a.days, 0)::double as days_after,
    coalesce(a.spend, 0)::double as spend_after,
    coalesce(a.spend_square, 0)::double as spend_square_after,
    coalesce(a.log_spend, 0)::double as log_spend_after,
    coalesce(a.log_spend_square, 0)::double as log_spend_square_after
from (from parts where is_before) b
full join (from parts where not is_before) a using (customer_id)
order by customer_id
