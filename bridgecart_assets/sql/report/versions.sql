-- The newest versions of the segment model.
-- needs: gold.segment_model
-- gives: rows

select
    version, any_value(status) as status, any_value(as_of) as as_of, any_value(in_force_from) as in_force_from,
    count(*) as segments, any_value(fitted_customers) as fitted_customers,
    any_value(silhouette) as silhouette, any_value(stability) as stability,
    any_value(smallest_share) as smallest_share, any_value(agreement) as agreement, any_value(inertia) as inertia,
    any_value(remarks) as remarks
from gold.segment_model
group by version
order by version desc
limit 12
