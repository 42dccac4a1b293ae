create temp view to_score as
select
    customer_id, as_of, first_purchased_on, last_purchased_on, frequency, orders, coupon_orders, log_spend_sum
from scoped_customer_features;
