-- The orders before the as-of date, and the days on which customers bought.
-- needs: scoped_orders, clock, log_of_day(), log_square_of_day()
-- gives: sales, purchase_days

create or replace temp view sales as
select o.*
from scoped_orders o, clock
where o.purchased_on < clock.as_of;

-- Purchase day: a customer's day with a purchase, worth the sum of that day's purchases. A refund does not undo it: who
-- bought has come back, whatever came back of the goods.
create or replace temp view purchase_days as
with totals as (
    select customer_id, purchased_on, sum(net_amount) as spend
    from sales
    where order_kind = 'purchase'
    group by customer_id, purchased_on
)
select
    customer_id, purchased_on, spend::decimal(18, 2) as spend, log_of_day(spend) as log_net,
    log_square_of_day(spend) as log_net_square
from totals;
