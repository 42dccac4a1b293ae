select measure, as_of, model_version, psi, threshold, alert, customers, reference_customers
from gold.segment_drift
order by measure
