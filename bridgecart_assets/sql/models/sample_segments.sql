-- Customers with their traits and segments under the model in force: the same ones that a fit would take.
-- needs: gold.customer_segments, is_sampled(), $fitted_customers
-- gives: rows for gold.segment_drift

select
    as_of, model_version, segment_key,
    {trait},
from gold.customer_segments
where model_version is not null and is_sampled(customer_hash)
order by customer_hash, customer_id
limit $fitted_customers
