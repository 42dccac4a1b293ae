-- Batches whose records are not as many as the ledger says, or that have records and no ledger row.
-- needs: raw.batches, raw.orders
-- gives: rows

select batch_key, b.records as says, coalesce(r.records, 0) as has
from raw.batches b
full join (select batch_key, count(*) as records from raw.orders group by batch_key) r using (batch_key)
where b.records is distinct from coalesce(r.records, 0)
order by batch_key
