-- One row an order: of its events, the one that counts, or the sum of its lines; and one for each refund inside it.
-- needs: counting_events, refunds_inside, summed_orders
-- gives: silver.orders
-- through: silver/order_changes

select *, 1 as lines from counting_events
union all by name
select *, 1 as lines from refunds_inside
union all by name
select * from summed_orders
