-- Customers who spent on a day a hundred times as much as all others ever did, if they are few.
-- needs: gold.customer_features, silver.orders
-- gives: rows

with few as (
    -- Of a handful of customers nobody can say which are the others.
    select least(greatest(3, count(*) // 1000), count(*) // 10, 100) as most
    from gold.customer_features
    where largest_spend is not null
),
largest as (
    from gold.customer_features
    select customer_hash, largest_spend
    where largest_spend is not null
    order by largest_spend desc, customer_hash
    limit 101
),
placed as (
    select *, row_number() over by_spend as place, lead(largest_spend) over by_spend as next_spend
    from largest
    window by_spend as (order by largest_spend desc, customer_hash)
),
gap as (
    select place as customers, largest_spend, next_spend
    from placed, few
    where place <= most and largest_spend > 100 * next_spend
    order by place desc
    limit 1
)
select
    customers, largest_spend, next_spend,
    (
        select string_agg(order_id, ', ' order by net_amount desc, order_id)
        from (
            select order_id, net_amount
            from silver.orders
            where customer_hash in (select customer_hash from placed where largest_spend >= gap.largest_spend)
                and net_amount > 10 * next_spend
            order by net_amount desc, order_id
            limit 5
        )
    ) as order_ids,
    format(
        '{} customer(s) spent {} or more on a day, all others {} at most.',
        customers, largest_spend::varchar, next_spend::varchar
    ) as says
from gap
