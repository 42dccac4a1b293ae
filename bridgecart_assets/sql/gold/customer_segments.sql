-- Everyone's segment, lifecycle and predictions as of the data clock, under the models in force: a view.
-- needs: gold.customer_scores, gold.segment_model
-- gives: gold.customer_segments

with names as (
    -- One row a key, which the database has to know: then who asks for no name does not pay for it.
    select version, segment_key, any_value(segment) as segment
    from gold.segment_model
    group by version, segment_key
)
select
    s.* exclude (in_hindsight, expected_window_sales),
    coalesce(n.segment, 'unassigned') as segment,
    s.confidence < 0.1 as ambiguous
from gold.customer_scores s
left join names n on n.version = s.model_version and n.segment_key = s.segment_key
