-- Net sales and purchases of all customers must be those of the orders before the as-of date, to the cent.
-- needs: gold.customer_features, silver.orders, $as_of
-- gives: rows

with features as (
    select coalesce(sum(net_sales), 0) as net_sales, coalesce(sum(orders), 0) as orders from gold.customer_features
),
silver as (
    select coalesce(sum(net_amount), 0) as net_sales, count(*) filter (where order_kind = 'purchase') as orders
    from silver.orders
    where coalesce(purchased_on < $as_of::date, true)
)
select f.net_sales as feature_sales, s.net_sales as order_sales, f.orders as feature_orders, s.orders as orders
from features f, silver s
where f.net_sales <> s.net_sales or f.orders <> s.orders
