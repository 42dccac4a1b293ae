-- Customers as they were known before the last days, and their purchase days in them: what candidates are compared by.
-- needs: sales, purchase_days, clock, $held_out_days
-- gives: rows

with days as (
    select
        customer_id,
        count(*) filter (where purchased_on < clock.as_of - $held_out_days) as frequency,
        sum(log_net) filter (where purchased_on < clock.as_of - $held_out_days) as log_spend_sum,
        sum(log_net_square) filter (where purchased_on < clock.as_of - $held_out_days) as log_spend_square_sum,
        -- The last day of the data is the day before the as-of date.
        clock.as_of - 1 - $held_out_days - min(purchased_on) as lived_days,
        clock.as_of - 1 - $held_out_days - max(purchased_on) filter (where purchased_on < clock.as_of - $held_out_days)
            as silent_days,
        count(*) filter (where purchased_on >= clock.as_of - $held_out_days) as purchases_after
    from purchase_days, clock
    group by customer_id, clock.as_of
),
orders as (
    select customer_id, count(*) as orders, count(*) filter (where coupon_used) as coupon_orders
    from sales, clock
    where order_kind = 'purchase' and purchased_on < clock.as_of - $held_out_days
    group by customer_id
)
select
    d.customer_id, d.frequency, coalesce(o.orders, 0) as orders, coalesce(o.coupon_orders, 0) as coupon_orders,
    d.log_spend_sum::double as log_spend_sum,
    d.log_spend_square_sum::double as log_spend_square_sum,
    d.lived_days, d.silent_days, d.purchases_after
from days d
left join orders o using (customer_id)
where d.frequency > 0
order by d.customer_id
