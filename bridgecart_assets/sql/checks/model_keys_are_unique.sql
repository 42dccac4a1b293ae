-- Within a version every key and every name stands once; sizes add up to the customers of the fit.
-- needs: gold.segment_model
-- gives: rows

select version, count(*) as segments, count(distinct segment_key) as keys, count(distinct segment) as names,
    sum(segment_customers) as customers, max(fitted_customers) as fitted_customers
from gold.segment_model
group by version
having count(*) <> count(distinct segment_key) or count(*) <> count(distinct segment)
    or sum(segment_customers) <> max(fitted_customers)
order by version
