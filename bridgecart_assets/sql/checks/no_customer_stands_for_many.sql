-- Customers whose id is a word for nobody, and one who has more than a tenth of all orders of a hundred customers or more.
-- needs: gold.customer_features
-- gives: rows

with customers as (
    select customer_id, orders + zero_value_orders + refunds as orders from gold.customer_features
),
found as (
    select
        customer_id, orders, sum(orders) over () as in_all, count(*) over () as customers,
        lower(customer_id) in (
            '-', '0', '-1', '00000000-0000-0000-0000-000000000000', 'anonymous', 'guest', 'n/a', 'nan', 'nil', 'none', 'null',
            'test', 'undefined', 'unknown'
        ) as is_nobody
    from customers
)
select
    customer_id, orders,
    case
        when is_nobody then format('{} order(s) have the customer id ''{}''.', orders, customer_id)
        else format('{} of {} orders have the customer id ''{}''.', orders, in_all, customer_id)
    end as says
from found
where is_nobody or (customers >= 100 and orders > in_all / 10)
order by orders desc, customer_id
