-- The orders before the as-of date, and the days on which customers bought.
-- needs: scoped_orders, clock
-- gives: sales, purchase_days

create or replace temp view sales as
select o.*, o.purchased_at::date as purchased_on
from scoped_orders o, clock
where o.purchased_at < clock.as_of;

-- Purchase day: a customer's day with a positive net total. Its logarithm in fixed point: sums are then exact.
create or replace temp view purchase_days as
with totals as (
    -- greatest: the logarithm may be taken before the rows without sales are left out.
    select customer_id, purchased_on, ln(greatest(sum(net_amount), 0.01)::double) as log_net
    from sales
    group by customer_id, purchased_on
    having sum(net_amount) > 0
)
select
    customer_id, purchased_on, log_net::decimal(18, 9) as log_net, (log_net * log_net)::decimal(18, 9) as log_net_square
from totals;
