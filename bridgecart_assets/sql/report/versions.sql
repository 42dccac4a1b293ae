-- The newest versions of the segment model. Only the newest of all can be proposed and wait for a person: one that
-- another came after was not accepted.
-- needs: gold.segment_model
-- gives: rows

with versions as (
    select
        version, any_value(status) as status, any_value(as_of) as as_of, any_value(in_force_from) as in_force_from,
        count(*) as segments, any_value(fitted_customers) as fitted_customers,
        any_value(silhouette) as silhouette, any_value(stability) as stability,
        any_value(smallest_share) as smallest_share, any_value(agreement) as agreement, any_value(inertia) as inertia,
        any_value(segments_asked) as segments_asked, any_value(remarks) as remarks
    from gold.segment_model
    group by version
)
select
    *,
    case
        when status = 'active' and version = max(version) filter (where status = 'active') over () then 'in force'
        when status = 'active' then 'earlier'
        when version = max(version) over () then 'proposed'
        else 'not accepted'
    end as standing,
    round(agreement * fitted_customers)::integer as customers_kept
from versions
order by version desc
limit 12
