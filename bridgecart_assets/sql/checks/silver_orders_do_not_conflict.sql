-- Events of the batch's orders that are in no sum, by what they look like, and the setting that counts such events.
-- Lines of an order have its time, and each its category; a state has another time, or another field than the amount.
-- The order that counts may stand in another batch than the event that does not, so both are looked for.
-- needs: silver.conflicting_orders, silver.orders, $batch_key
-- gives: rows

with conflicting as (
    select order_key, purchased_at, net_amount, product_category
    from silver.conflicting_orders
    where order_key in (
        select order_key from silver.conflicting_orders where batch_key = $batch_key
        union
        select order_key from silver.orders where batch_key = $batch_key
    )
),
events as (
    select *, true as is_left_out from conflicting
    union all
    select order_key, purchased_at, net_amount, product_category, false
    from silver.orders
    where order_key in (select order_key from conflicting)
),
told as (
    select
        count(*) filter (where is_left_out) as events,
        sum(abs(net_amount)) filter (where is_left_out) as net_amount,
        count(distinct date_trunc('second', purchased_at)) = 1 as has_one_time,
        count(distinct product_category) > 1 as has_categories,
        count(distinct net_amount) = 1 as has_one_amount
    from events
    group by order_key
),
looks as (
    select
        *,
        case
            when has_one_time and has_categories then 'lines'
            when not has_categories and (has_one_amount or not has_one_time) then 'states'
            else 'lines or states'
        end as order_events
    from told
),
counted as (
    select order_events, count(*) as orders, sum(events) as events, sum(net_amount) as net_amount
    from looks
    group by order_events
)
select
    *,
    format(
        '{} event(s) of {} order(s), {} net, are in no sum: {}.', events, orders, net_amount::varchar,
        case order_events
            when 'lines' then 'lines of their orders, which BRIDGECART_ORDER_EVENTS=lines counts'
            when 'states' then 'later states of their orders, which BRIDGECART_ORDER_EVENTS=states counts'
            else 'BRIDGECART_ORDER_EVENTS=lines counts them if they are lines of their orders, =states if they are later states'
        end
    ) as says
from counted
order by net_amount desc, order_events
