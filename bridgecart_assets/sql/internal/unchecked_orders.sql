-- Orders by which customers who changed after some revision are checked: the new orders of those who only gained some,
-- found by where they stand, and all orders of the others.
-- needs: silver.orders, silver.order_changes, touched, $after, $revision
-- gives: came, searched, unchecked_orders

create or replace temp table came as
select topic_id, "partition", "offset", part, customer_hash
from silver.order_changes
where revision > $after and revision <= $revision
qualify min(sign) over (partition by customer_hash) > 0;

create or replace temp table searched as
select customer_hash from touched where customer_hash not in (select customer_hash from came);

create or replace temp view unchecked_orders as
from silver.orders where customer_hash in (select customer_hash from searched)
union all
from silver.orders semi join came using (topic_id, "partition", "offset", part);
