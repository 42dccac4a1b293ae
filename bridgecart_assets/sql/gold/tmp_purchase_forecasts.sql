-- What a customer that is alive will buy depends on little: one row a distinct customer of the model, not a person.
select distinct t.purchase_version, t.frequency, t.weeks, m.r, m.alpha, m.a, m.b
from traits t
join gold.purchase_model m on m.version = t.purchase_version
where m.no_prediction_reason is null
order by all
