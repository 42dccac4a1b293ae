-- What came and what went of orders between two revisions. A record that was read again came and went: it cancels out.
-- In time is whose orders only came, all of them since the last period opening: what they were at any opening stands.
-- Late is everybody else: what they were at openings after `since` is another, or has yet to be told.
-- needs: silver.order_changes, clock, periods, $after, $revision, $opening
-- gives: netted_orders, retold, in_time

create or replace temp table netted_orders as
select
    customer_id, customer_hash, purchased_on, order_kind, net_amount, coupon_used, sum(sign)::bigint as came
from silver.order_changes, clock
where revision > $after and revision <= $revision and purchased_on < clock.as_of
group by customer_id, customer_hash, purchased_on, order_kind, net_amount, coupon_used
having sum(sign) <> 0;

create or replace temp table retold as
select customer_id, customer_hash, least(min(purchased_on), $opening::date) as since
from netted_orders
group by customer_id, customer_hash
having min(came) < 0 or min(purchased_on) < (select max(period) from periods);

create or replace temp table in_time as
select distinct customer_id, customer_hash
from netted_orders
anti join retold using (customer_id, customer_hash);
