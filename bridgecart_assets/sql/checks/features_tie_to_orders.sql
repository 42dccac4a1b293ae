-- Net sales and purchases of all customers must be those of the orders before the as-of date, to the cent.
with features as (
    select sum(net_sales) as net_sales, sum(orders) as orders, max(as_of) as as_of from gold.customer_features
),
orders as (
    select sum(net_amount) as net_sales, count(*) filter (where order_kind = 'purchase') as orders
    from silver.orders
    where purchased_at < (select as_of from features)
)
select f.net_sales as feature_sales, o.net_sales as order_sales, f.orders as feature_orders, o.orders as orders
from features f, orders o
where f.net_sales is distinct from o.net_sales or f.orders is distinct from o.orders
