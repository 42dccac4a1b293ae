-- Records of the batch that are no order, with the reasons and what they said.
-- needs: refused, raw.orders, $batch_key
-- gives: silver.rejected_orders

select refused.*, r.payload
from refused
join raw.orders r using (topic_id, "partition", "offset")
where r.batch_key = $batch_key
