select measure, psi, threshold, customers, model_version
from gold.segment_drift
where alert
order by measure
