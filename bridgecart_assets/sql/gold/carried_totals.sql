-- The totals of customers in time: what came is added to what they had, without a look at their orders.
-- needs: net_changes, known_totals, late, period_of(), log_of_day(), log_square_of_day()
-- gives: rows

with known as (
    select * from known_totals where customer_hash not in (select customer_hash from late)
),
came as (
    select * from net_changes where customer_hash not in (select customer_hash from late)
),
sums as (
    select
        customer_id, customer_hash,
        max(purchased_on) as last_ordered_on,
        coalesce(sum(orders) filter (where order_kind = 'purchase'), 0) as orders,
        coalesce(sum(orders) filter (where order_kind = 'zero'), 0) as zero_value_orders,
        coalesce(sum(orders) filter (where order_kind = 'refund'), 0) as refunds,
        coalesce(sum(orders) filter (where order_kind = 'purchase' and coupon_used), 0) as coupon_orders,
        coalesce(sum(net_amount * orders) filter (where order_kind = 'purchase'), 0) as purchase_sales,
        coalesce(sum(gross_amount * orders) filter (where order_kind = 'purchase'), 0) as purchase_gross,
        coalesce(sum(discount_amount * orders) filter (where order_kind = 'purchase'), 0) as purchase_discount,
        sum(net_amount * orders) as net_sales
    from came
    group by customer_id, customer_hash
),
-- The latest purchase day may be one of these: it is worth more then, and no day more.
days as (
    select
        c.customer_id, c.purchased_on,
        any_value(k.last_spend) as known_spend,
        coalesce(any_value(k.last_spend), 0) + sum(c.net_amount * c.orders) as spend
    from came c
    left join known k on k.customer_id = c.customer_id and k.last_purchased_on = c.purchased_on
    where c.order_kind = 'purchase'
    group by c.customer_id, c.purchased_on
),
moves as (
    select
        customer_id,
        count(*) filter (where known_spend is null) as frequency,
        min(purchased_on) as first_on,
        max(purchased_on) as last_on,
        min(purchased_on) filter (where period_of(purchased_on) = latest_period) as returned_on,
        sum(log_of_day(spend) - coalesce(log_of_day(known_spend), 0)) as log_spend_sum,
        sum(log_square_of_day(spend) - coalesce(log_square_of_day(known_spend), 0)) as log_spend_square_sum,
        max(spend) as largest_spend,
        max_by(spend, purchased_on) as last_spend
    from (select *, max(period_of(purchased_on)) over (partition by customer_id) as latest_period from days)
    group by customer_id
),
categories as (
    select customer_id, list({'category': category, 'purchases': purchases} order by category) as bought
    from (
        select customer_id, category, sum(purchases)::integer as purchases
        from (
            select customer_id, unnest(categories, recursive := true) from known
            union all
            select customer_id, product_category, orders from came
            where order_kind = 'purchase' and product_category is not null
        ) as each(customer_id, category, purchases)
        group by customer_id, category
    )
    group by customer_id
)
select
    s.customer_id,
    s.customer_hash,
    s.last_ordered_on,
    coalesce(k.first_purchased_on, m.first_on) as first_purchased_on,
    coalesce(m.last_on, k.last_purchased_on) as last_purchased_on,
    case when period_of(k.last_purchased_on) = period_of(m.last_on) then k.returned_on
        else coalesce(m.returned_on, k.returned_on) end as returned_on,
    coalesce(k.frequency, 0) + coalesce(m.frequency, 0) as frequency,
    coalesce(k.orders, 0) + s.orders as orders,
    coalesce(k.zero_value_orders, 0) + s.zero_value_orders as zero_value_orders,
    coalesce(k.refunds, 0) + s.refunds as refunds,
    coalesce(k.coupon_orders, 0) + s.coupon_orders as coupon_orders,
    coalesce(k.purchase_sales, 0) + s.purchase_sales as purchase_sales,
    coalesce(k.purchase_gross, 0) + s.purchase_gross as purchase_gross,
    coalesce(k.purchase_discount, 0) + s.purchase_discount as purchase_discount,
    coalesce(k.net_sales, 0) + s.net_sales as net_sales,
    coalesce(k.log_spend_sum, 0) + coalesce(m.log_spend_sum, 0) as log_spend_sum,
    coalesce(k.log_spend_square_sum, 0) + coalesce(m.log_spend_square_sum, 0) as log_spend_square_sum,
    greatest(k.largest_spend, m.largest_spend) as largest_spend,
    coalesce(m.last_spend, k.last_spend) as last_spend,
    coalesce(c.bought, []) as categories
from sums s
left join known k using (customer_hash, customer_id)
left join moves m using (customer_id)
left join categories c using (customer_id)
