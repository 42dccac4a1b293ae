-- The newest versions of the purchase model.
-- needs: gold.purchase_model
-- gives: rows

select
    version, as_of, in_force_from, fitted_customers, repeat_customers, history_days, r, alpha, a, b, log_likelihood,
    candidate, season, no_prediction_reason
from gold.purchase_model
order by version desc
limit 12
