-- What the models say about every row of `traits`: predictions, nearest and second nearest centroid.
create temp table predictions as
with parameters as (
    select *, log_spend_variance_within as within, log_spend_variance_between as between_customers
    from gold.purchase_model
),
chances as (
    select
        t.customer_id, t.as_of, m.as_of > t.as_of as in_hindsight, o.purchases, o.discounted_purchases,
        -- Capped, because exp() of more is no number; the probability is 0 long before.
        1 / (1 + exp(least(
            ln(m.a / (m.b + t.frequency - 1)) + (m.r + t.frequency - 1)
            * ln((m.alpha + t.weeks) / (m.alpha + weeks_between(t.first_purchased_on, t.last_purchased_on))),
            700
        ))) as p_alive,
        1 - power(
            (m.alpha + t.weeks) / (m.alpha + t.weeks + $churn_window_days::double / 7), m.r + t.frequency - 1
        ) as p_purchase_if_alive,
        exp(
            log_spend_of(t.frequency, t.log_spend_sum, m.log_spend_mean, m.within, m.between_customers)
            + m.within / 2 + 1 / (t.frequency / m.within + 1 / m.between_customers) / 2
        ) as expected_spend
    from traits t
    join outlooks o using (purchase_version, frequency, weeks)
    join parameters m on m.version = t.purchase_version
)
select
    customer_id, as_of, in_hindsight, p_alive, expected_spend,
    p_alive * purchases as expected_purchases,
    1 - p_alive * p_purchase_if_alive as churn_risk,
    -- What money can hold; nobody spends more.
    round(least($clv_margin * p_alive * discounted_purchases * expected_spend, 9e15), 2)::decimal(18, 2) as predicted_clv
from chances;

create temp table scored as
with distances as (
    select
        t.customer_id, t.as_of, m.version, m.segment_key, m.segment,
        sqrt(
            power((t.log_purchase_rate - m.mean_log_purchase_rate) / m.scale_log_purchase_rate
                - m.centroid_log_purchase_rate, 2)
            + power((t.log_spend - m.mean_log_spend) / m.scale_log_spend - m.centroid_log_spend, 2)
            + power((t.coupon_share - m.mean_coupon_share) / m.scale_coupon_share - m.centroid_coupon_share, 2)
        ) as distance
    from traits t
    join gold.segment_model m on m.version = t.segment_version
),
ranked as (
    select
        *,
        row_number() over nearest as place,
        lead(distance) over nearest as next_distance,
        lead(segment_key) over nearest as runner_up_key
    from distances
    window nearest as (partition by customer_id, as_of order by distance, segment_key)
),
nearest_segments as (
    select
        customer_id, as_of, version, segment_key, segment, runner_up_key,
        case when next_distance + distance > 0
            then (next_distance - distance) / (next_distance + distance) end as confidence
    from ranked
    where place = 1
)
select
    t.customer_id, t.as_of, t.log_purchase_rate, t.log_spend, t.coupon_share,
    n.version, n.segment_key, n.segment, n.runner_up_key, n.confidence,
    n.confidence < 0.1 as ambiguous,
    p.* exclude (customer_id, as_of)
from traits t
left join nearest_segments n using (customer_id, as_of)
left join predictions p using (customer_id, as_of);
