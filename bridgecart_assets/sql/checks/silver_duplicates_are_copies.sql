-- Duplicates of the batch that nobody can tell from orders of their own: they have neither an order id nor a time of day.
-- needs: silver.duplicate_orders, $batch_key
-- gives: rows

with without_id as (
    select net_amount, purchased_at, purchased_at at time zone 'UTC' as instant
    from silver.duplicate_orders
    where batch_key = $batch_key and order_id is null
),
copies as (
    select net_amount
    from without_id
    -- Midnight in UTC, or in the time zone of times without one, which is that of this connection.
    where purchased_at = date_trunc('day', purchased_at) or instant = date_trunc('day', instant)
)
select
    count(*) as events, sum(abs(net_amount)) as net_amount,
    format(
        '{} event(s), {} net, without an order id and a time of day say the same as another one, and count once with it.',
        count(*), sum(abs(net_amount))::varchar
    ) as says
from copies
having count(*) > 0
