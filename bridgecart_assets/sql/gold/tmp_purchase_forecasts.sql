-- The distinct customers of the purchase model, of whom Python computes what they will buy. What a customer that is
-- alive will buy depends on little: one row a distinct customer of the model, not a person.
-- needs: traits, gold.purchase_model
-- gives: rows for purchase_forecasts

select distinct t.purchase_version, t.frequency, t.weeks, m.r, m.alpha, m.a, m.b
from traits t
join gold.purchase_model m on m.version = t.purchase_version
where m.no_prediction_reason is null
order by all
