-- Events that say something else than the event of their order that counts.
-- needs: ranked_events
-- gives: silver.conflicting_orders

select * exclude (stands_in) from ranked_events where stands_in = 'conflicting_orders'
