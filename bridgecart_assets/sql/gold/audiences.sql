-- Everyone as campaigns choose them: a view, read by `bridgecart export` too.
-- needs: gold.customer_segments
-- gives: gold.audiences

with stages as (
    -- Who never bought is in no stage.
    select *, lifecycle is not distinct from 'at risk' as at_risk
    from gold.customer_segments
)
select
    customer_id, customer_hash, as_of, segment_key, segment, lifecycle, at_risk, net_sales, predicted_clv,
    case when at_risk or predicted_clv is null then predicted_clv else 0 end as value_at_risk,
    row_number() over (
        order by
            predicted_clv desc nulls last,
            case when predicted_clv is null then net_sales end desc nulls last,
            customer_id
    ) as value_rank,
    sha256(customer_id) as hashed_id
from stages
