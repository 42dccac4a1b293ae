-- One row an order: of its events, the one that counts, or the sum of its lines; and one for each refund inside it.
-- needs: written_orders
-- gives: silver.orders
-- through: silver/order_changes

from written_orders
