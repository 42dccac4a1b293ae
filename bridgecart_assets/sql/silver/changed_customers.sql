-- Whose orders this transaction changes: a new revision. What all tables know, and have been checked for, is not kept.
-- needs: silver.changed_customers, gold.refreshes, replaced_orders, accepted, ranked_events,
--     refunds_inside
-- gives: nothing
-- changes: silver.changed_customers

insert into silver.changed_customers
with head as (
    select greatest(
        (select coalesce(max(revision), 0) from silver.changed_customers),
        (select coalesce(max(revision), 0) from gold.refreshes)
    ) as revision
),
changed as (
    select customer_hash, purchased_on from replaced_orders
    union all
    select customer_hash, purchased_on from accepted
    union all
    select customer_hash, purchased_on from ranked_events where stands_in in ('orders', 'order_lines')
    union all
    select customer_hash, purchased_on from refunds_inside
)
select any_value(head.revision) + 1, changed.customer_hash, min(changed.purchased_on)
from changed, head
-- Of a void event nobody needs to know whose it is: the order that it takes away is among those replaced.
where changed.customer_hash is not null
group by changed.customer_hash;

delete from silver.changed_customers where revision <= (select min(coalesce(checked, revision)) from gold.refreshes);
