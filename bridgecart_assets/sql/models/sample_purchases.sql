-- Customers for a fit of the purchase model.
-- needs: gold.customer_features, is_sampled(), $fitted_customers
-- gives: rows for gold.purchase_model

select
    customer_id, as_of, first_purchased_on, last_purchased_on, frequency, orders, coupon_orders,
    log_spend_sum::double as log_spend_sum,
    log_spend_square_sum::double as log_spend_square_sum,
    purchase_sales::double as purchase_sales,
    net_sales::double as net_sales
from gold.customer_features
where frequency > 0 and is_sampled(customer_hash)
order by customer_hash, customer_id
limit $fitted_customers
