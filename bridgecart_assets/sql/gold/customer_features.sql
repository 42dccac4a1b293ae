-- What is known of each customer as of the data clock, in one row a customer: a view.
-- needs: gold.customer_totals, gold.refreshes
-- gives: gold.customer_features

with dated as (
    select t.*, r.as_of, list_max(list_transform(t.categories, lambda c: c.purchases)) as most_purchases
    from gold.customer_totals t
    cross join (select as_of from gold.refreshes where table_name = 'gold.customer_features') r
)
select
    customer_id,
    customer_hash,
    as_of,
    first_purchased_on,
    last_purchased_on,
    -- The data clock is the last day of the data; as_of is the midnight that ends it.
    as_of - 1 - last_purchased_on as recency_days,
    as_of - 1 - first_purchased_on as tenure_days,
    frequency,
    case when frequency > 0 then frequency - 1 end as repeat_purchases,
    orders,
    zero_value_orders,
    refunds,
    net_sales,
    case when orders > 0 then purchase_sales::double / orders end as average_order_value,
    case when frequency > 1 then (last_purchased_on - first_purchased_on)::double / (frequency - 1) end
        as mean_interpurchase_days,
    case when purchase_gross > 0 then purchase_discount::double / purchase_gross::double end as discount_rate,
    coupon_orders,
    len(categories) as category_count,
    -- Of several as often bought, the first by name.
    list_filter(categories, lambda c: c.purchases = most_purchases)[1].category as top_category,
    log_spend_sum,
    log_spend_square_sum,
    purchase_sales,
    largest_spend
from dated
