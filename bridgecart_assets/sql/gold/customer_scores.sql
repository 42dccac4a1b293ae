-- What the models in force say about everyone as of the data clock: segment, lifecycle and predictions.
-- needs: versions_in_force, gold.purchase_model, scored, $churn_window_days
-- gives: gold.customer_scores
-- through: gold/tmp_current_customers

select
    s.customer_id,
    s.customer_hash,
    s.as_of,
    coalesce(s.segment_key, 'unassigned') as segment_key,
    s.version as model_version,
    s.confidence,
    s.runner_up_key,
    -- The churn KPI calls a customer inactive after the window; before that it is a question of whether he is alive. So it
    -- is after it where the shop has a season and fewer days of that have passed: silent are then most who will be back.
    case
        when s.frequency = 0 then null
        when s.recency_days > $churn_window_days and round(7 * (s.weeks - s.weeks_to_last)) > $churn_window_days
        then 'dormant'
        when 3 * s.tenure_days <= $churn_window_days then 'new'
        when coalesce(s.p_alive < 0.5, 3 * s.recency_days > 2 * $churn_window_days) then 'at risk'
        when coalesce(s.p_alive < 0.8, 3 * s.recency_days > $churn_window_days) then 'needs attention'
        else 'active'
    end as lifecycle,
    s.{trait},
    s.p_alive,
    s.churn_risk,
    s.predicted_clv,
    s.expected_spend,
    s.expected_purchases,
    case
        when s.frequency = 0 then 'no_purchase'
        when s.p_alive is null or s.churn_risk is null or s.expected_purchases is null or s.expected_spend is null
            or s.predicted_clv is null
        then coalesce(
            (
                select max(no_prediction_reason)
                from versions_in_force v
                join gold.purchase_model m on m.version = v.purchase_version
            ),
            'out_of_bounds'
        )
    end as no_prediction_reason,
    s.net_sales,
    s.in_hindsight,
    s.expected_window_sales
from scored s
