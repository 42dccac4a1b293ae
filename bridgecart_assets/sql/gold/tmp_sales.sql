-- The orders before the as-of date, what they add up to by customer and day, and the days on which customers bought.
-- needs: scoped_orders, clock, log_of_day(), log_square_of_day()
-- gives: sales, customer_days, purchase_days

create or replace temp view sales as
select o.*
from scoped_orders o, clock
where o.purchased_on < clock.as_of;

create or replace temp view customer_days as
select
    customer_id, customer_hash, purchased_on,
    count(*) filter (where order_kind = 'purchase') as orders,
    count(*) filter (where order_kind = 'zero') as zero_value_orders,
    count(*) filter (where order_kind = 'refund') as refunds,
    count(*) filter (where order_kind = 'purchase' and coupon_used) as coupon_orders,
    sum(net_amount) filter (where order_kind = 'purchase') as spend,
    sum(net_amount) as net_sales
from sales
group by customer_id, customer_hash, purchased_on;

-- Purchase day: a customer's day with a purchase, worth the sum of that day's purchases. A refund does not undo it: who
-- bought has come back, whatever came back of the goods.
create or replace temp view purchase_days as
select
    customer_id, purchased_on, spend::decimal(18, 2) as spend, log_of_day(spend) as log_net,
    log_square_of_day(spend) as log_net_square
from customer_days
where spend is not null;
