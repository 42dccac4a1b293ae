-- What each customer's orders before the as-of date add up to, in one row a customer.
-- needs: sales, purchase_days, period_of()
-- gives: gold.customer_totals

with totals as (
    select
        customer_id, customer_hash,
        max(purchased_on) as last_ordered_on,
        count(*) filter (where order_kind = 'purchase') as orders,
        count(*) filter (where order_kind = 'zero') as zero_value_orders,
        count(*) filter (where order_kind = 'refund') as refunds,
        count(*) filter (where order_kind = 'purchase' and coupon_used) as coupon_orders,
        coalesce(sum(net_amount) filter (where order_kind = 'purchase'), 0) as purchase_sales,
        coalesce(sum(gross_amount) filter (where order_kind = 'purchase'), 0) as purchase_gross,
        coalesce(sum(discount_amount) filter (where order_kind = 'purchase'), 0) as purchase_discount,
        sum(net_amount) as net_sales
    from sales
    group by customer_id, customer_hash
),
days as (
    select
        customer_id, count(*) as frequency, min(purchased_on) as first_on, max(purchased_on) as last_on,
        min(purchased_on) filter (where period_of(purchased_on) = latest_period) as returned_on,
        sum(log_net) as log_spend_sum,
        sum(log_net_square) as log_spend_square_sum,
        max(spend) as largest_spend,
        max_by(spend, purchased_on) as last_spend
    from (select *, max(period_of(purchased_on)) over (partition by customer_id) as latest_period from purchase_days)
    group by customer_id
),
categories as (
    -- Sorted as lists: an aggregate that sorts takes twice as long.
    select customer_id, list_sort(list({'category': product_category, 'purchases': purchases})) as bought
    from (
        select customer_id, product_category, count(*)::integer as purchases
        from sales
        where order_kind = 'purchase' and product_category is not null
        group by customer_id, product_category
    )
    group by customer_id
)
select
    t.*,
    d.first_on as first_purchased_on,
    d.last_on as last_purchased_on,
    d.returned_on,
    coalesce(d.frequency, 0) as frequency,
    coalesce(d.log_spend_sum, 0) as log_spend_sum,
    coalesce(d.log_spend_square_sum, 0) as log_spend_square_sum,
    d.largest_spend,
    d.last_spend,
    coalesce(c.bought, []) as categories
from totals t
left join days d on d.customer_id = t.customer_id
left join categories c on c.customer_id = t.customer_id
order by t.customer_hash
