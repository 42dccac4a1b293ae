-- What is known of each customer as of the data clock, in one row a customer.
-- needs: sales, purchase_days, clock
-- gives: gold.customer_features

with totals as (
    select
        customer_id, customer_hash,
        count(*) filter (where order_kind = 'purchase') as orders,
        count(*) filter (where order_kind = 'zero') as zero_value_orders,
        count(*) filter (where order_kind = 'refund') as refunds,
        count(*) filter (where order_kind = 'purchase' and coupon_used) as coupon_orders,
        coalesce(sum(net_amount) filter (where order_kind = 'purchase'), 0) as purchase_sales,
        sum(gross_amount) filter (where order_kind = 'purchase') as purchase_gross,
        sum(discount_amount) filter (where order_kind = 'purchase') as purchase_discount,
        sum(net_amount) as net_sales,
        count(distinct product_category) filter (where order_kind = 'purchase') as category_count
    from sales
    group by customer_id, customer_hash
),
days as (
    select
        customer_id, count(*) as frequency, min(purchased_on) as first_on, max(purchased_on) as last_on,
        sum(log_net) as log_spend_sum,
        sum(log_net_square) as log_spend_square_sum,
        max(spend) as largest_spend
    from purchase_days
    group by customer_id
),
categories as (
    select customer_id, product_category,
        row_number() over (partition by customer_id order by count(*) desc, product_category) as rank
    from sales
    where order_kind = 'purchase' and product_category is not null
    group by customer_id, product_category
)
select
    t.customer_id,
    t.customer_hash,
    clock.as_of,
    d.first_on as first_purchased_on,
    d.last_on as last_purchased_on,
    -- The data clock is the last day of the data; as_of is the midnight that ends it.
    clock.as_of - 1 - d.last_on as recency_days,
    clock.as_of - 1 - d.first_on as tenure_days,
    coalesce(d.frequency, 0) as frequency,
    d.frequency - 1 as repeat_purchases,
    t.orders,
    t.zero_value_orders,
    t.refunds,
    t.net_sales,
    case when t.orders > 0 then t.purchase_sales::double / t.orders end as average_order_value,
    case when d.frequency > 1 then (d.last_on - d.first_on)::double / (d.frequency - 1) end as mean_interpurchase_days,
    case when t.purchase_gross > 0 then t.purchase_discount::double / t.purchase_gross::double end as discount_rate,
    t.coupon_orders,
    t.category_count,
    c.product_category as top_category,
    coalesce(d.log_spend_sum, 0) as log_spend_sum,
    coalesce(d.log_spend_square_sum, 0) as log_spend_square_sum,
    t.purchase_sales,
    d.largest_spend
from totals t
cross join clock
left join days d on d.customer_id = t.customer_id
left join categories c on c.customer_id = t.customer_id and c.rank = 1
