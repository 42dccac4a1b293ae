-- States of an order before the one that holds.
-- needs: ranked_events
-- gives: silver.superseded_orders

select * exclude (stands_in), 'superseded' as standing from ranked_events where stands_in = 'superseded_orders'
