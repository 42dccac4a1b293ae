-- Records of the batch that are no order, with the reasons and what they said.
-- needs: refused
-- gives: silver.rejected_orders

select * from refused
