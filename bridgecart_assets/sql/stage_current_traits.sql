create temp table to_score as
select customer_id, as_of, log_orders, log_order_value, coupon_share
from gold.customer_features;
