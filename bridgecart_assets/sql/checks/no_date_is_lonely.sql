-- Dates with hardly an order, more than a year before all other orders or after them.
-- needs: silver.orders, silver.batch_sums
-- gives: rows

with days as (
    select purchased_on as day, sum(purchases + zero_value_orders + refunds)::bigint as orders
    from silver.batch_sums
    group by day
),
gaps as (
    select day, lead(day) over by_day as next_day, sum(orders) over by_day as up_to, sum(orders) over () as in_all
    from days
    window by_day as (order by day)
),
-- Of a shop with a handful of orders nobody can say which are the others.
years as (
    select *, least(greatest(3, in_all // 1000), in_all // 10) as few
    from gaps
    where next_day - day > 365
),
lonely as (
    from (
        select
            '-infinity'::date as begins, day as ends, up_to as orders, 'up to ' || day as dated,
            next_day - day as gap, 'before' as side
        from years
        where up_to <= few
        order by day desc
        limit 1
    )
    union all
    from (
        select next_day, 'infinity'::date, in_all - up_to, 'from ' || next_day || ' on', next_day - day, 'after'
        from years
        where in_all - up_to <= few
        order by day
        limit 1
    )
)
select
    orders, dated,
    (
        select string_agg(order_id, ', ' order by purchased_at, order_id)
        from (
            select order_id, purchased_at
            from silver.orders
            where purchased_on between begins and ends
            order by purchased_at, order_id
            limit 5
        )
    ) as order_ids,
    format('{} order(s) {} lie {} days {} all others.', orders, dated, gap, side) as says
from lonely
order by begins
