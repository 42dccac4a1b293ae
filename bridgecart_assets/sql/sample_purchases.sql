-- Customers for a fit of the purchase model: by hash of the id, so the same ones whatever else is stored.
select
    customer_id, as_of, first_purchased_on, last_purchased_on, frequency, orders, coupon_orders,
    log_spend_sum::double as log_spend_sum,
    log_spend_square_sum::double as log_spend_square_sum
from gold.customer_features
where frequency > 0
order by md5(customer_id), customer_id
limit $fitted_customers
