-- What the models say about every row of `traits`: predictions, nearest and second nearest centroid.
-- needs: gold.segment_model, levelled, gold.purchase_model, weeks_between(), log_spend_of(), purchase_forecasts,
--     $churn_window_days, $clv_margin, $clv_horizon_days
-- gives: segmentations, assigned, predictors, figure_within(), figure_at_most(), scored

-- A version in one row: what k segments have is a list, by key. A row a customer and segment, ranked in a window, would
-- cost ten times as much.
create or replace temp table segmentations as
select
    version,
    any_value(mean_{trait}) as mean_{trait}, any_value(scale_{trait}) as scale_{trait},
    list(segment_key order by segment_key) as segment_keys,
    list(segment order by segment_key) as segments,
    list({
        '{trait}': centroid_{trait},
    } order by segment_key) as centroids
from gold.segment_model
group by version;

create or replace temp view assigned as
with standardised as (
    select
        t.*, m.* exclude (version),
        (t.{trait} - m.mean_{trait}) / m.scale_{trait} as z_{trait},
    from levelled t
    left join segmentations m on m.version = t.segment_version
),
measured as (
    select
        *,
        list_transform(centroids, lambda c: sqrt(
            0
            + power(z_{trait} - c.{trait}, 2)
        )) as distances
    from standardised
),
compared as (
    select *, list_aggregate(distances, 'min', 2) as least_two from measured
),
-- Of two as near, the one with the lower key comes first.
placed as (
    select *, least_two[1] as distance, least_two[2] as next_distance, list_position(distances, least_two[1]) as nearest
    from compared
)
select
    * exclude (distance, next_distance, nearest),
    segment_keys[nearest] as segment_key,
    segments[nearest] as segment,
    case
        when next_distance > distance then segment_keys[list_position(distances, next_distance)]
        when next_distance = distance then segment_keys[nearest + list_position(distances[nearest + 1:], distance)]
    end as runner_up_key,
    case when next_distance + distance > 0
        then (next_distance - distance) / (next_distance + distance) end as confidence
from placed;

create or replace temp table predictors as
select
    *, log_spend_variance_within as within, log_spend_variance_between as between_customers,
    $churn_window_days::double / 7 as window_weeks, $clv_margin as clv_margin, $clv_horizon_days::double as horizon_days
from gold.purchase_model;

-- Between the models and everybody who reads a figure: it is a number from 0 to the most that can be, or NULL.
-- Never least() or greatest() alone: for them NaN is the largest number, and least() drops it.
create or replace temp macro figure_within(figure, most) as case when isfinite(figure) and figure between 0 and most then figure end;
create or replace temp macro figure_at_most(figure, most) as case when isfinite(figure) then least(figure, most) end;

create or replace temp view scored as
with chances as (
    select
        t.*, o.purchases, o.discounted_purchases, m.clv_margin, m.horizon_days, m.as_of > t.as_of as in_hindsight,
        -- exp() of too much is infinity, and the probability 0.
        -- There is no logarithm of no drop-out.
        case when o.a = 0 then 1 else 1 / (1 + exp(
            ln(o.a / (o.b + t.frequency - 1)) + (o.r + t.frequency - 1)
            * ln((o.alpha + t.weeks) / (o.alpha + weeks_between(t.first_purchased_on, t.last_purchased_on)))
        )) end as p_alive,
        1 - power((o.alpha + t.weeks) / (o.alpha + t.weeks + m.window_weeks), o.r + t.frequency - 1)
            as p_purchase_if_alive,
        exp(log_spend_of(t.frequency, t.log_spend_sum, m.log_spend_mean, m.within, m.between_customers))
            as median_spend,
        median_spend * exp(m.within / 2 + 1 / (t.frequency / m.within + 1 / m.between_customers) / 2) as mean_spend,
        -- Where spend scatters widely the mean of the log-normal is far above all that was ever spent. Nobody is
        -- expected to spend more than the best of the fit did on average, or than what is usual for themselves.
        greatest(m.largest_mean_spend, median_spend) as most_spend
    from assigned t
    left join purchase_forecasts o using (purchase_version, frequency, weeks, spend_level, coupon_level)
    -- Without a forecast the version makes no predictions.
    left join predictors m on m.version = o.purchase_version
)
select
    * exclude (
        p_alive, p_purchase_if_alive, purchases, discounted_purchases, median_spend, mean_spend, most_spend,
        clv_margin, horizon_days
    ),
    segment_version as version,
    confidence < 0.1 as ambiguous,
    figure_within(chances.p_alive, 1) as p_alive,
    -- Nobody buys on more days than there are.
    figure_within(chances.p_alive * purchases, horizon_days) as expected_purchases,
    figure_within(1 - chances.p_alive * p_purchase_if_alive, 1) as churn_risk,
    figure_at_most(mean_spend, most_spend) as expected_spend,
    -- 1e16 is more than the column can hold.
    round(figure_within(
        clv_margin * chances.p_alive * discounted_purchases * figure_at_most(mean_spend, most_spend),
        least(horizon_days * most_spend, 1e16 - 2)
    ), 2)::decimal(18, 2) as predicted_clv
from chances;
