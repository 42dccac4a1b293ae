-- What the models say about every row of `traits`: predictions, nearest and second nearest centroid.
-- needs: gold.segment_model, levelled, gold.purchase_model, log_spend_of(), purchase_forecasts,
--     $churn_window_days, $clv_margin, $clv_horizon_days
-- gives: segmentations, assigned, predictors, figure_within(), figure_at_most(), refund_share_of(), scored

-- A version in one row: what k segments have is a list, by key. A row a customer and segment, ranked in a window, would
-- cost ten times as much.
create or replace temp table segmentations as
select
    version,
    any_value(mean_{trait}) as mean_{trait}, any_value(scale_{trait}) as scale_{trait},
    list(segment_key order by segment_key) as segment_keys,
    list(segment order by segment_key) as segments,
    list(largest_spend order by segment_key) as largest_spends,
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
    largest_spends[nearest] as segment_largest_spend,
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
    $churn_window_days::double as window_days, $clv_margin as clv_margin, $clv_horizon_days::double as horizon_days
from gold.purchase_model;

-- Between the models and everybody who reads a figure: it is a number from 0 to the most that can be, or NULL.
-- Never least() or greatest() alone: for them NaN is the largest number, and least() drops it.
create or replace temp macro figure_within(figure, most) as case when isfinite(figure) and figure between 0 and most then figure end;
create or replace temp macro figure_at_most(figure, most) as case when isfinite(figure) then least(figure, most) end;

-- Refunds over sales, of a customer with so few sales that of all: it weighs three purchase days.
create or replace temp macro refund_share_of(purchase_sales, net_sales, expected_spend, mean) as
    (purchase_sales::double - net_sales::double + 3 * expected_spend * mean)
    / (purchase_sales::double + 3 * expected_spend);

create or replace temp view scored as
with chances as (
    select
        t.*, o.purchases, o.discounted_purchases, o.window_purchases, m.clv_margin, m.horizon_days, m.window_days,
        m.refund_share_mean, m.as_of > t.as_of as in_hindsight,
        -- exp() of too much is infinity, and the probability 0.
        -- There is no logarithm of no drop-out.
        case when o.a = 0 then 1 else 1 / (1 + exp(
            ln(o.a / (o.b + t.frequency - 1)) + (o.r + t.frequency - 1)
            * ln((o.alpha + t.weeks) / (o.alpha + t.weeks_to_last))
        )) end as p_alive,
        1 - power((o.alpha + t.weeks) / (o.alpha + t.weeks + o.window_weeks), o.r + t.frequency - 1)
            as p_purchase_if_alive,
        case m.spend_model
            when 'log-normal' then m.log_spend_scale * figure_at_most(exp(
                log_spend_of(t.frequency, t.log_spend_sum, m.log_spend_mean, m.within, m.between_customers)
                + m.within / 2 + 1 / (t.frequency / m.within + 1 / m.between_customers) / 2
            ), greatest(m.largest_mean_spend, t.purchase_sales::double / t.frequency))
            else (t.purchase_sales::double + m.spend_prior_days * m.spend_mean) / (t.frequency + m.spend_prior_days)
        end as mean_spend,
        -- Nobody is expected to spend more than their segment ever did on one day, or the best of all on average,
        -- unless they do so themselves.
        greatest(
            least(coalesce(t.segment_largest_spend, m.largest_mean_spend), m.largest_mean_spend),
            t.purchase_sales::double / t.frequency
        ) as most_spend
    from assigned t
    left join purchase_forecasts o
        on o.purchase_version = t.purchase_version and o.forecast_from is not distinct from t.forecast_from
        and o.frequency = t.frequency and o.weeks = t.weeks
        and o.spend_level = t.spend_level and o.coupon_level = t.coupon_level
    -- Without a forecast the version makes no predictions.
    left join predictors m on m.version = o.purchase_version
),
spent as (
    select
        *, figure_at_most(mean_spend, most_spend) as expected_spend,
        -- Who returned what was bought before the first order has more refunds than sales.
        expected_spend * (
            1 - figure_at_most(refund_share_of(purchase_sales, net_sales, expected_spend, refund_share_mean), 1)
        ) as kept_spend
    from chances
)
select
    * exclude (
        p_alive, p_purchase_if_alive, purchases, discounted_purchases, window_purchases, mean_spend, most_spend,
        kept_spend, refund_share_mean, segment_largest_spend, clv_margin, horizon_days, window_days
    ),
    segment_version as version,
    confidence < 0.1 as ambiguous,
    figure_within(spent.p_alive, 1) as p_alive,
    -- Nobody buys on more days than there are.
    figure_within(spent.p_alive * purchases, horizon_days) as expected_purchases,
    figure_within(1 - spent.p_alive * p_purchase_if_alive, 1) as churn_risk,
    -- 1e16 is more than the column can hold.
    round(figure_within(
        clv_margin * spent.p_alive * discounted_purchases * kept_spend, least(horizon_days * most_spend, 1e16 - 2)
    ), 2)::decimal(18, 2) as predicted_clv,
    round(figure_within(
        spent.p_alive * window_purchases * kept_spend, least(window_days * most_spend, 1e16 - 2)
    ), 2)::decimal(18, 2) as expected_window_sales
from spent;
