-- Lines of the orders that have several.
-- needs: ranked_events
-- gives: silver.order_lines

select * exclude (stands_in) from ranked_events where stands_in = 'order_lines'
