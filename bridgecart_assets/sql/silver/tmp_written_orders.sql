-- Rows of orders that this transaction writes: of each order's events the one that counts, or the sum of its lines; and
-- one for each refund inside it. All but those of orders with one event may be of another batch.
-- needs: uncontested_events, winning_events, refunds_inside, summed_orders
-- gives: rewritten_orders, written_orders

create or replace temp view rewritten_orders as
select *, 1 as lines from winning_events
union all by name
select *, 1 as lines from refunds_inside
union all by name
select * from summed_orders;

create or replace temp view written_orders as
select *, 1 as lines from uncontested_events
union all by name
from rewritten_orders;
