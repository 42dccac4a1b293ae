-- Events that say the same as another event of their order.
-- needs: ranked_events
-- gives: silver.duplicate_orders

select * exclude (stands_in) from ranked_events where stands_in = 'duplicate_orders'
