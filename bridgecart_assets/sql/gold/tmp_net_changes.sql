-- Orders that the totals gain and lose. What came and went again is none, nor is an order in the place of one like it.
-- needs: silver.order_changes, silver.orders, clock, $after, $revision, $known_as_of
-- gives: net_changes, touched

create or replace temp table net_changes as
with changed as (
    select *
    from silver.order_changes
    where revision > $after and revision <= $revision and purchased_on < $known_as_of::date
    union all by name
    -- Before the as-of date they are for the first time, whenever they came.
    select *, 1 as sign
    from silver.orders
    where purchased_on >= $known_as_of::date and purchased_on < (select as_of from clock)
)
select
    customer_id, customer_hash, purchased_on, order_kind, gross_amount, discount_amount, net_amount, coupon_used,
    product_category, sum(sign)::integer as orders
from changed
group by all
having sum(sign) <> 0;

create or replace temp table touched as
select distinct customer_hash from net_changes;
