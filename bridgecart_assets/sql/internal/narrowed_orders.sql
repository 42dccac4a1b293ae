-- The orders from which a table carries its rows of customers on. Of customers who only gained orders these are the new
-- ones, or every order since the first new one where their row knows of an order as late. Of other customers: all.
-- needs: silver.order_changes, silver.orders, silver.customers, touched, $after, $revision
-- gives: changed, gaining, narrowed_customers, narrowed_orders

create or replace temp table changed as
from silver.order_changes where revision > $after and revision <= $revision;

-- Customers who only gained orders. Two customers of one hash cannot be told apart here, and are left out.
create or replace temp table gaining as
with came as (
    select customer_hash, min(customer_id) as customer_id, min(purchased_at) as since
    from changed
    group by customer_hash
    having bool_and(sign > 0) and min(customer_id) = max(customer_id)
)
select
    c.customer_hash, c.since, coalesce(bool_or(k.last_seen_at >= c.since), false) as is_overtaken,
    c.since < (select max(since) - interval 1 day from came) as is_long_ago
from came c
left join silver.customers k on k.customer_hash = c.customer_hash
group by c.customer_hash, c.since
having coalesce(bool_and(k.customer_id = c.customer_id), true);

create or replace temp table narrowed_customers as
select k.*
from silver.customers k
join gaining g on g.customer_hash = k.customer_hash
where k.first_seen_at <= g.since;

create or replace temp table narrowed_orders as
select * exclude (revision, sign) from changed where customer_hash in (select customer_hash from gaining where not is_overtaken)
union all by name
select
    customer_id, customer_hash, purchased_at, purchased_on, order_kind, gross_amount, discount_amount, net_amount,
    coupon_used, product_category, topic_id, "partition", "offset", kafka_timestamp, batch_key, stated_attributes, part
from (
    -- Orders are stored in the order of time, so that those of today are found without a look at the others. Nobody is
    -- overtaken after 'infinity': that no order is as late as NULL is only seen by reading all of them.
    from silver.orders
    where purchased_at >= (select coalesce(min(since), 'infinity') from gaining where is_overtaken and not is_long_ago)
        and customer_hash in (select customer_hash from gaining where is_overtaken and not is_long_ago)
    union all
    -- Apart from those, because nearly everything between then and now is passed over for these few.
    from silver.orders
    where purchased_at >= (select coalesce(min(since), 'infinity') from gaining where is_overtaken and is_long_ago)
        and customer_hash in (select customer_hash from gaining where is_overtaken and is_long_ago)
    union all
    from silver.orders
    where customer_hash in (select customer_hash from touched where customer_hash not in (select customer_hash from gaining))
);
