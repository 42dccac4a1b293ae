-- What a table that carries its rows of customers has to read. Of who is in time, it is what came: nothing of theirs went,
-- and what came is later than all that the row knows. Of anybody else it is all of their orders.
-- needs: silver.order_changes, silver.orders, silver.customers, touched, $after, $revision
-- gives: changed, in_time, narrowed_customers, narrowed_orders

create or replace temp table changed as
from silver.order_changes where revision > $after and revision <= $revision;

-- Two customers of one hash are not told apart here, and so never in time.
create or replace temp table in_time as
with came as (
    select customer_hash, min(customer_id) as customer_id, min(purchased_at) as since
    from changed
    group by customer_hash
    having bool_and(sign > 0) and min(customer_id) = max(customer_id)
)
select c.customer_hash
from came c
left join silver.customers k on k.customer_hash = c.customer_hash
group by c.customer_hash
having coalesce(bool_and(k.customer_id = c.customer_id and k.last_seen_at < c.since), true);

create or replace temp table narrowed_customers as
from silver.customers where customer_hash in (from in_time);

create or replace temp table narrowed_orders as
select * exclude (revision, sign) from changed where customer_hash in (from in_time)
union all by name
select
    customer_id, customer_hash, purchased_at, purchased_on, order_kind, gross_amount, discount_amount, net_amount,
    coupon_used, product_category, topic_id, "partition", "offset", kafka_timestamp, batch_key, stated_attributes, part
from silver.orders
where customer_hash in (select customer_hash from touched where customer_hash not in (from in_time));
