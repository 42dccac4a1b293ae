-- Measures by which customers are other than those that the segments were fitted to.
-- needs: gold.segment_drift
-- gives: rows

select measure, psi, threshold, customers, model_version
from gold.segment_drift
where alert
order by measure
