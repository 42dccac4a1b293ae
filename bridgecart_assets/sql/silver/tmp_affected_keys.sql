-- The orders that this batch claims, or claimed before.
-- needs: accepted, silver.orders, silver.duplicate_orders, $batch_key
-- gives: affected_keys

create temp table affected_keys as
select order_key, purchased_at from accepted
union
select order_key, purchased_at from silver.orders where batch_key = $batch_key
union
select order_key, purchased_at from silver.duplicate_orders where batch_key = $batch_key;
