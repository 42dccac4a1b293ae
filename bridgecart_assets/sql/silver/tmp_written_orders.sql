-- Rows of orders that this transaction writes: of each order's events the one that counts, or the sum of its lines; and
-- one for each refund inside it.
-- needs: counting_events, refunds_inside, summed_orders
-- gives: written_orders

create or replace temp view written_orders as
select *, 1 as lines from counting_events
union all by name
select *, 1 as lines from refunds_inside
union all by name
select * from summed_orders;
