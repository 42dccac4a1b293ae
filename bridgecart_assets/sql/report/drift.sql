-- How far the customers are from those that the segments were fitted to.
-- needs: gold.segment_drift
-- gives: rows

select measure, as_of, model_version, psi, threshold, alert, customers, reference_customers
from gold.segment_drift
order by measure
