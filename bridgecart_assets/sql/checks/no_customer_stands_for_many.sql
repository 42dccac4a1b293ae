-- Customers whose id is a word for nobody, and one who has more than a tenth of all orders of a hundred customers or more.
-- needs: gold.customer_features
-- gives: rows

with customers as (
    select customer_id, orders + zero_value_orders + refunds as orders from gold.customer_features
),
shop as (
    select count(*) as customers, sum(orders) as orders from customers
),
found as (
    select
        c.customer_id, c.orders, s.orders as in_all,
        lower(c.customer_id) in (
            '-', '0', '-1', '00000000-0000-0000-0000-000000000000', 'anonymous', 'guest', 'n/a', 'nan', 'nil', 'none', 'null',
            'test', 'undefined', 'unknown'
        ) as is_nobody
    from customers c, shop s
    where is_nobody or (s.customers >= 100 and c.orders > s.orders / 10)
)
select
    customer_id, orders,
    -- Any other id may have anything in it, and stands beside.
    case
        when is_nobody then format('{} order(s) have the customer id ''{}''.', orders, customer_id)
        else format('{} of {} orders have one customer id.', orders, in_all)
    end as says
from found
order by orders desc, customer_id
