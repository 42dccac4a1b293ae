-- The batches whose rows of silver.orders this transaction changes: the own one, and those with an order that went to
-- another batch, came from one, or is another than it was.
-- needs: replaced_orders, rewritten_orders, $batch_key
-- gives: recounted_batches

create temp table recounted_batches as
with before as (
    select batch_key, order_key, customer_hash, purchased_on, order_kind, net_amount
    from replaced_orders
    where batch_key is distinct from $batch_key
),
after as (
    select batch_key, order_key, customer_hash, purchased_on, order_kind, net_amount
    from rewritten_orders
    where batch_key is distinct from $batch_key
)
select batch_key from (from before except from after)
union
select batch_key from (from after except from before)
union
select $batch_key;
