-- The orders that came in this transaction and those that went: a new revision, while a table follows. What all tables
-- know, and have been checked for, is not kept.
-- needs: silver.order_changes, gold.refreshes, replaced_orders, written_orders
-- gives: nothing
-- changes: silver.order_changes

insert into silver.order_changes by name
with head as (
    select greatest(
        (select coalesce(max(revision), 0) from silver.order_changes),
        (select coalesce(max(revision), 0) from gold.refreshes)
    ) as revision
),
changed as (
    select -1 as sign, * from replaced_orders
    union all by name
    select 1 as sign, * from written_orders
)
select
    head.revision + 1 as revision, sign, customer_id, customer_hash, purchased_at, purchased_on, order_kind,
    gross_amount, discount_amount, net_amount, coupon_used, product_category, topic_id, "partition", "offset",
    kafka_timestamp, batch_key, stated_attributes, part
from changed, head
where exists (select 1 from gold.refreshes where state is not null);

delete from silver.order_changes where revision <= (select min(coalesce(checked, revision)) from gold.refreshes);
